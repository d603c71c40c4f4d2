"use strict";
// The viewer: slices come as raw pixels and are windowed and coloured here, so that scrolling, another
// window or another colour asks the server for nothing.

const LOWEST_HU = -1024;
const HIGHEST_HU = 3071;
const LUNG = 3;
const CACHE_BYTES = 256 * 2 ** 20;
const AHEAD = 6;
const WHEEL_STEP = 40;
const SWIPE_STEP = 12;

// Grey level of each pixel value: as `chestct.intensity.as_picture` for the same window.
function greyLevels(isHu, center, width) {
  const table = new Uint8ClampedArray(isHu ? HIGHEST_HU - LOWEST_HU + 1 : 256);
  const low = center - width / 2;
  for (let k = 0; k < table.length; k += 1) {
    table[k] = isHu ? Math.round(255 * Math.min(1, Math.max(0, (k + LOWEST_HU - low) / width))) : k;
  }
  return table;
}

// A small map at a slice's size, each value between its neighbours', rounded after each direction: as Pillow's
// bilinear resize.
function enlarged(small, [rows, columns], height, width) {
  const places = (from, to) => Array.from({ length: to }, (_, k) => {
    const at = Math.min(from - 1, Math.max(0, ((k + 0.5) * from) / to - 0.5));
    const low = Math.floor(at);
    return [low, Math.min(from - 1, low + 1), at - low];
  });
  const wide = new Uint8Array(rows * width);
  places(columns, width).forEach(([left, right, share], x) => {
    for (let y = 0; y < rows; y += 1) {
      const one = small[y * columns + left];
      wide[y * width + x] = Math.round(one + share * (small[y * columns + right] - one));
    }
  });
  const large = new Uint8Array(height * width);
  places(rows, height).forEach(([above, below, share], y) => {
    for (let x = 0; x < width; x += 1) {
      const one = wide[above * width + x];
      large[y * width + x] = Math.round(one + share * (wide[below * width + x] - one));
    }
  });
  return large;
}

// RGBA pixels of a slice: as `chestct.render.overlay.overlay` where the style is "fill", as
// `chestct.render.uncertainty` where there is uncertainty to show: without classes, whose colours would be taken for
// it. "plain" is for small pictures and for planes whose rows are far apart, where outlines would hide everything.
function drawn(pixels, labels, width, height, view, uncertainty) {
  const rgba = new Uint8ClampedArray(4 * width * height);
  const offset = view.isHu ? -LOWEST_HU : 0;
  const last = view.grey.length - 1;
  const isMask = view.style === "mask";
  const edge = isMask ? 1 : Math.min(1, 2 * view.opacity);
  for (let y = 0, k = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, k += 1) {
      const label = labels[k];
      const colour = uncertainty ? null : view.colours[label];
      const grey = isMask ? 0 : view.grey[Math.min(last, Math.max(0, pixels[k] + offset))];
      const unsure = uncertainty ? view.uncertainty.table[uncertainty[k]] : null;
      let share = 0;
      if (colour) {
        const isOutline = view.style !== "plain" && (
          x === 0 || y === 0 || x === width - 1 || y === height - 1 ||
          labels[k - 1] !== label || labels[k + 1] !== label ||
          labels[k - width] !== label || labels[k + width] !== label);
        if (isMask || isOutline) share = edge;
        // A filled lung would hide the slice.
        else if (view.style !== "outline" && label !== LUNG) share = view.opacity;
      }
      for (let part = 0; part < 3; part += 1) {
        const [under, over, cover] = unsure
          ? [view.uncertainty.grey * grey, unsure[part], unsure[3]]
          : [grey, share ? colour[part] : 0, share];
        rgba[4 * k + part] = Math.round(under + cover * (over - under));
      }
      rgba[4 * k + 3] = 255;
    }
  }
  return rgba;
}

function paint(canvas, pixels, labels, width, height, view, uncertainty = null) {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const picture = new ImageData(drawn(pixels, labels, width, height, view, uncertainty), width, height);
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

const rgbOf = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

async function fetchPixels(url, isHu) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${answer.status}`);
  const buffer = await answer.arrayBuffer();
  return isHu ? new Int16Array(buffer) : new Uint8Array(buffer);
}

class SliceCache {
  constructor(study) {
    this.study = study;
    this.kept = new Map();
    const [height, width] = study.sizes[0];
    this.most = Math.max(2 * AHEAD + 2, Math.floor(CACHE_BYTES / (3 * height * width)));
  }

  get(index) {
    const known = this.kept.get(index);
    if (known) {
      this.kept.delete(index);
      this.kept.set(index, known);
      return known;
    }
    const base = this.study.base;
    const entry = { value: null, promise: null };
    entry.promise = Promise.all([
      fetchPixels(`${base}/pixels/${index}`, this.study.hu),
      fetchPixels(`${base}/labels/${index}`, false),
      this.study.doubt?.sizes[index] ? fetchPixels(`${base}/doubt/${index}`, false) : null,
    ]).then(([pixels, labels, uncertainty]) => {
      entry.value = { pixels, labels, uncertainty };
      return entry.value;
    });
    // A slice that failed is asked for again the next time.
    entry.promise.catch(() => this.kept.delete(index));
    this.kept.set(index, entry);
    if (this.kept.size > this.most) this.kept.delete(this.kept.keys().next().value);
    return entry;
  }
}

class Viewer {
  constructor(root) {
    this.root = root;
    this.study = JSON.parse(root.dataset.study);
    this.texts = JSON.parse(root.dataset.texts);
    this.find = (selector) => root.querySelector(selector);
    this.canvas = this.find("#slice");
    this.controls = this.find("#controls");
    this.cache = new SliceCache(this.study);
    this.index = this.study.first;
    this.shown = null;
    this.overview = {};
    this.isDue = false;
    if (this.study.pixel_aspect !== 1) this.fixAspect();
    this.restoreControls();
    this.readControls();
    this.listen();
    this.go(this.index);
    this.loadOverview();
  }

  get count() {
    return this.study.sizes.length;
  }

  // Pixels that are not square are stretched to millimetres.
  fixAspect() {
    const [height, width] = this.study.sizes[0];
    this.canvas.style.setProperty("--ratio", String(width / (height * this.study.pixel_aspect)));
    this.canvas.classList.add("stretched");
  }

  // --- which slice -------------------------------------------------------------------------------

  go(index) {
    const wanted = Math.min(this.count - 1, Math.max(0, index));
    const direction = Math.sign(wanted - this.index) || 1;
    this.index = wanted;
    this.tellPosition();
    const entry = this.cache.get(wanted);
    if (entry.value) this.show(wanted, entry.value);
    else {
      this.find("#hud").textContent = `${this.position()} · ${this.texts.loading}`;
      entry.promise.then(
        (slice) => wanted === this.index && this.show(wanted, slice),
        () => wanted === this.index && (this.find("#hud").textContent = this.texts.not_loaded),
      );
    }
    for (let step = 1; step <= AHEAD; step += 1) {
      for (const near of [wanted + direction * step, step <= 2 ? wanted - direction * step : -1]) {
        if (near >= 0 && near < this.count) this.cache.get(near).promise.catch(() => {});
      }
    }
  }

  show(index, slice) {
    this.shown = { index, ...slice };
    this.root.dataset.shown = String(index);
    this.redraw();
  }

  position() {
    const text = this.texts.slice.replace("{number}", this.index + 1).replace("{total}", this.count);
    const name = this.study.names[this.index];
    return name && this.count > 1 ? `${text} · ${name}` : text;
  }

  tellPosition() {
    const slider = this.find("#position");
    slider.value = this.index + 1;
    slider.setAttribute("aria-valuetext", this.position());
    this.find("#slice-number").textContent = this.index + 1;
    const shares = this.study.slices[this.index];
    for (const cell of this.root.querySelectorAll("#slice-shares [data-cell]")) {
      const [group, side] = cell.dataset.cell.split("-");
      cell.textContent = this.share(shares[side] && shares[side][group]);
    }
    // Said only once a reader rests on a slice.
    window.clearTimeout(this.telling);
    this.telling = window.setTimeout(() => this.tellShares(shares), 700);
    this.markOverview();
    const label = this.find("#save-label");
    if (label) label.href = `${this.study.base}/label/${this.index}.png`;
    const uncertainty = this.find("#save-doubt");
    if (uncertainty) uncertainty.href = `${this.study.base}/doubt/${this.index}.png`;
  }

  tellShares(shares) {
    const whole = shares.whole;
    const said = this.study.classes.slice(0, 2).map((one) => `${one.name} ${this.share(whole && whole[one.key])} %`);
    this.find("#heard-slice").textContent = `${this.position()}: ${whole ? said.join(", ") : this.texts.no_lung}`;
  }

  share(value) {
    if (value === null || value === undefined) return "–";
    const written = (number) =>
      number.toLocaleString(this.study.language, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
    return value > 0 && value < 0.1 ? `< ${written(0.1)}` : written(value);
  }

  // --- how it is drawn ---------------------------------------------------------------------------

  readControls() {
    const form = this.controls;
    const colours = {};
    for (const box of form.querySelectorAll("input[type=checkbox]")) {
      const picked = form.querySelector(`input[type=color][data-label="${box.dataset.label}"]`);
      this.root.style.setProperty(`--class-${box.dataset.label}`, picked.value);
      if (box.checked) colours[box.dataset.label] = rgbOf(picked.value);
    }
    const center = this.study.hu ? Number(form.elements.center.value) : 0;
    const width = this.study.hu ? Math.max(1, Number(form.elements.width.value)) : 1;
    this.window = { center, width };
    this.view = {
      isHu: this.study.hu,
      colours,
      opacity: Number(form.elements.opacity.value) / 100,
      style: form.elements.style.value,
      grey: greyLevels(this.study.hu, center, width),
      uncertainty: this.study.doubt,
    };
    const key = this.find("#uncertainty-key");
    if (key) key.hidden = this.view.style !== "doubt";
    this.find("#opacity-said").textContent = `${form.elements.opacity.value} %`;
    const colourList = this.study.classes.map(
      (one) => form.querySelector(`input[type=color][data-label="${one.label}"]`).value.slice(1),
    );
    const query = new URLSearchParams({
      show: Object.keys(colours).join(","),
      colours: colourList.join(","),
      opacity: form.elements.opacity.value,
    });
    for (const link of this.root.querySelectorAll("a.with-view")) link.href = `${link.href.split("?")[0]}?${query}`;
    this.keepControls();
  }

  // Only how things are drawn is remembered, and only in this browser tab.
  keepControls() {
    const kept = {};
    for (const field of this.controls.elements) {
      if (!field.name || (field.type === "radio" && !field.checked)) continue;
      kept[field.name] = field.type === "checkbox" ? field.checked : field.value;
    }
    try {
      window.sessionStorage.setItem("lungloop-view", JSON.stringify(kept));
    } catch {
      // Private windows may refuse: the defaults come back on the next page.
    }
  }

  restoreControls() {
    let kept = {};
    try {
      kept = JSON.parse(window.sessionStorage.getItem("lungloop-view")) || {};
    } catch {
      return;
    }
    for (const field of this.controls.elements) {
      if (!(field.name in kept)) continue;
      if (field.type === "checkbox") field.checked = kept[field.name];
      else if (field.type === "radio") field.checked = field.value === kept[field.name];
      else field.value = kept[field.name];
    }
    // A way to draw that this study does not have.
    if (!this.controls.elements.style.value) this.controls.elements.style.value = "fill";
  }

  redraw() {
    if (this.isDue) return;
    this.isDue = true;
    window.requestAnimationFrame(() => {
      this.isDue = false;
      if (!this.shown) return;
      const { index, pixels, labels, uncertainty } = this.shown;
      const [height, width] = this.study.sizes[index];
      const isUncertainty = this.view.style === "doubt" && uncertainty;
      const large = isUncertainty ? enlarged(uncertainty, this.study.doubt.sizes[index], height, width) : null;
      paint(this.canvas, pixels, labels, width, height, this.view, large);
      const window_ = this.study.hu ? ` · W ${this.window.width} L ${this.window.center}` : "";
      if (index === this.index) this.find("#hud").textContent = this.position() + window_;
    });
  }

  // --- what a reader does ------------------------------------------------------------------------

  listen() {
    const frame = this.find("#frame");
    let rolled = 0;
    frame.addEventListener("wheel", (event) => {
      if (event.ctrlKey || this.count === 1) return; // ctrl + wheel zooms the page
      event.preventDefault();
      rolled += event.deltaMode === 0 ? event.deltaY : event.deltaY * WHEEL_STEP;
      const steps = Math.trunc(rolled / WHEEL_STEP);
      rolled -= steps * WHEEL_STEP;
      if (steps) this.go(this.index + steps);
    }, { passive: false });
    frame.addEventListener("keydown", (event) => this.onKey(event));
    this.listenToSwipes(frame);
    frame.addEventListener("pointermove", (event) => this.tellPointer(event));
    frame.addEventListener("pointerleave", () => (this.find("#pointer").textContent = ""));
    this.find("#position").addEventListener("input", (event) => this.go(Number(event.target.value) - 1));
    this.controls.addEventListener("input", (event) => this.onControl(event.target));
    this.controls.addEventListener("submit", (event) => event.preventDefault());
    this.find("#save-png").addEventListener("click", () => this.savePng());
    const thumbs = this.find("#thumbs");
    if (thumbs) {
      thumbs.addEventListener("click", (event) => {
        const button = event.target.closest("button");
        if (button) this.go(Number(button.dataset.index));
      });
    }
    const profile = this.find("#profile");
    profile.addEventListener("click", (event) => {
      this.go(Math.floor((event.offsetX / profile.clientWidth) * this.count));
    });
    const coronal = this.find("#coronal");
    if (coronal) {
      coronal.addEventListener("click", (event) => {
        const place = Math.floor((event.offsetY / coronal.clientHeight) * this.count);
        this.go(this.study.overview.coronal_flipped ? this.count - 1 - place : place);
      });
    }
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const moves = {
      ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, PageDown: 10, PageUp: -10,
      Home: -this.count, End: this.count,
    };
    const styles = { o: "outline", m: "mask", ...(this.study.doubt && { u: "doubt", d: "doubt" }) };
    if (event.key in moves) this.go(this.index + moves[event.key]);
    else if ("123".includes(event.key)) this.controls.elements[`show-${event.key}`].click();
    else if (event.key.toLowerCase() in styles) {
      const style = styles[event.key.toLowerCase()];
      this.controls.elements.style.value = this.view.style === style ? "fill" : style;
      this.onControl(this.controls.elements.opacity);
    } else return;
    event.preventDefault();
  }

  listenToSwipes(frame) {
    let from = null;
    frame.addEventListener("pointerdown", (event) => {
      frame.focus({ preventScroll: true });
      if (event.pointerType === "touch") from = { y: event.clientY, index: this.index };
    });
    frame.addEventListener("pointermove", (event) => {
      if (from === null || event.pointerType !== "touch") return;
      this.go(from.index + Math.trunc((event.clientY - from.y) / SWIPE_STEP));
    });
    for (const kind of ["pointerup", "pointercancel"]) frame.addEventListener(kind, () => (from = null));
  }

  onControl(field) {
    const form = this.controls;
    if (field.name === "window" && field.dataset.center) {
      form.elements.center.value = field.dataset.center;
      form.elements.width.value = field.dataset.width;
    }
    if (field.name === "center" || field.name === "width") form.elements.window.value = "custom";
    this.readControls();
    this.redraw();
    this.paintOverview();
  }

  // The value under the pointer, as readers know it from their workstation.
  tellPointer(event) {
    if (!this.shown || event.pointerType === "touch") return;
    const [height, width] = this.study.sizes[this.shown.index];
    const box = this.canvas.getBoundingClientRect();
    const isFilled = this.canvas.classList.contains("stretched");
    const scale = Math.min(box.width / width, box.height / height);
    const [across, down] = isFilled ? [box.width / width, box.height / height] : [scale, scale];
    const x = Math.floor((event.clientX - box.left - (box.width - width * across) / 2) / across);
    const y = Math.floor((event.clientY - box.top - (box.height - height * down) / 2) / down);
    const isInside = x >= 0 && y >= 0 && x < width && y < height;
    const value = isInside ? this.shown.pixels[y * width + x] : "";
    this.find("#pointer").textContent = isInside ? `${this.study.hu ? `${value} HU` : value}` : "";
  }

  savePng() {
    if (!this.shown) return;
    const number = String(this.shown.index).padStart(4, "0");
    this.canvas.toBlob((blob) => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = this.count > 1 ? `${this.study.stem}.${number}.png` : `${this.study.stem}.shown.png`;
      link.click();
      window.setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    }, "image/png");
  }

  // --- overview ----------------------------------------------------------------------------------

  async loadOverview() {
    if (!this.study.overview || this.count === 1) return;
    const get = (what, isHu) => fetchPixels(`${this.study.base}/overview/${what}`, isHu);
    for (const plane of ["axial", "coronal"]) {
      if (plane === "coronal" && !this.find("#coronal")) continue;
      try {
        const [pixels, labels] = await Promise.all([get(`${plane}-pixels`, this.study.hu), get(`${plane}-labels`, false)]);
        this.overview[plane] = { pixels, labels };
      } catch {
        return; // the slices say what is wrong
      }
    }
    this.paintOverview();
    this.markOverview();
  }

  paintOverview() {
    window.clearTimeout(this.painting);
    this.painting = window.setTimeout(() => {
      this.paintProfile();
      const { axial, coronal } = this.overview;
      const view = { ...this.view, style: this.view.style === "mask" ? "mask" : "plain" };
      const facts = this.study.overview;
      if (axial) {
        const [height, width] = facts.axial_size;
        const part = height * width;
        this.root.querySelectorAll("#thumbs canvas").forEach((canvas, k) => {
          const cut = (array) => array.subarray(k * part, (k + 1) * part);
          paint(canvas, cut(axial.pixels), cut(axial.labels), width, height, view);
        });
      }
      if (coronal) {
        const [height, width] = facts.coronal_size;
        const canvas = this.find("#coronal canvas");
        paint(canvas, coronal.pixels, coronal.labels, width, height, view);
        canvas.style.aspectRatio = String(1 / facts.coronal_aspect);
        canvas.style.transform = facts.coronal_flipped ? "scaleY(-1)" : "none";
      }
    }, 60);
  }

  // Share of each finding by slice, one above the other.
  paintProfile() {
    if (this.count === 1) return;
    const canvas = this.find("#profile");
    canvas.width = Math.max(1, Math.round(canvas.clientWidth * window.devicePixelRatio));
    canvas.height = Math.max(1, Math.round(canvas.clientHeight * window.devicePixelRatio));
    const context = canvas.getContext("2d");
    const bar = canvas.width / this.count;
    const most = Math.max(5, ...this.study.slices.map((one) => (one.whole ? one.whole.both : 0)));
    this.study.slices.forEach((one, k) => {
      let height = 0;
      for (const part of [...this.study.classes].slice(0, 2)) {
        const share = one.whole ? one.whole[part.key] : 0;
        const tall = (share / most) * (canvas.height - 2);
        const [red, green, blue] = this.view.colours[part.label] || [120, 130, 140];
        context.fillStyle = `rgb(${red} ${green} ${blue})`;
        context.fillRect(k * bar, canvas.height - height - tall, Math.max(1, bar - 1), tall);
        height += tall;
      }
    });
    context.fillStyle = "#ffffff";
    context.fillRect(this.index * bar + bar / 2 - 1, 0, 2, canvas.height);
  }

  markOverview() {
    this.paintProfile();
    const facts = this.study.overview;
    if (!facts || this.count === 1) return;
    const nearest = facts.axial_slices.reduce((best, one) =>
      Math.abs(one - this.index) < Math.abs(best - this.index) ? one : best);
    for (const button of this.root.querySelectorAll("#thumbs button")) {
      if (Number(button.dataset.index) === nearest) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
    const coronal = this.find("#coronal");
    if (coronal) {
      const place = (this.index + 0.5) / this.count;
      coronal.querySelector(".cut").style.top = `${100 * (facts.coronal_flipped ? 1 - place : place)}%`;
    }
  }
}

for (const root of document.querySelectorAll("#viewer")) new Viewer(root);
