"use strict";
// Sending files with a progress bar, and following the work on them. Without this script the form and
// the pages work too: the form posts, the progress page reloads itself.

const filled = (text, values) => text.replace(/\{(\w+)\}/g, (_, key) => values[key]);

function startUpload(form) {
  const texts = JSON.parse(form.dataset.texts);
  const said = form.querySelector("#said");
  const bar = form.querySelector("#sent");
  let isSending = false;

  const say = (sentence, isBad) => {
    said.textContent = sentence;
    said.classList.toggle("bad", Boolean(isBad));
  };

  function send(files) {
    if (isSending || !files.length) return;
    const bytes = files.reduce((sum, file) => sum + file.size, 0);
    if (bytes > Number(form.dataset.mostBytes)) {
      say(filled(texts.too_large, { limit: form.dataset.limit }), true);
      return;
    }
    const body = new FormData();
    for (const file of files) body.append("files", file, file.name);
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "application/json");
    request.responseType = "json";
    isSending = true;
    form.querySelector(".sending").hidden = false;
    let heardPercent = -1;
    request.upload.addEventListener("progress", (event) => {
      const percent = Math.round((100 * event.loaded) / event.total);
      bar.value = percent;
      // Said in steps of ten, so that a screen reader is not flooded.
      if (Math.floor(percent / 10) !== heardPercent) {
        heardPercent = Math.floor(percent / 10);
        say(percent < 100 ? filled(texts.sending, { percent }) : texts.sent);
      }
    });
    const failed = (sentence) => {
      isSending = false;
      form.querySelector(".sending").hidden = true;
      say(sentence, true);
    };
    request.addEventListener("load", () => {
      const answer = request.response || {};
      if (request.status === 201) window.location.assign(answer.url);
      else failed(answer.detail || texts.no_answer);
    });
    request.addEventListener("error", () => failed(texts.no_answer));
    request.send(body);
  }

  for (const input of form.querySelectorAll("input[type=file]")) {
    input.addEventListener("change", () => {
      send([...input.files]);
      input.value = "";
    });
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    form.querySelector("#files").click();
  });
  for (const kind of ["dragenter", "dragover"]) {
    form.addEventListener(kind, (event) => {
      event.preventDefault();
      form.classList.add("over");
    });
  }
  for (const kind of ["dragleave", "drop"]) form.addEventListener(kind, () => form.classList.remove("over"));
  form.addEventListener("drop", async (event) => {
    event.preventDefault();
    send(await droppedFiles(event.dataTransfer));
  });
  // A file dropped beside the frame would otherwise replace the page.
  for (const kind of ["dragover", "drop"]) window.addEventListener(kind, (event) => event.preventDefault());
  form.querySelector(".without-script").hidden = true;
  for (const shown of form.querySelectorAll(".with-script")) shown.hidden = false;
}

async function droppedFiles(transfer) {
  // Entries must be taken before the first wait: the transfer is emptied after the event.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry && item.webkitGetAsEntry()).filter(Boolean);
  if (!entries.length) return [...transfer.files];
  return (await Promise.all(entries.map(filesBelow))).flat();
}

async function filesBelow(entry) {
  if (entry.isFile) return [await new Promise((done, failed) => entry.file(done, failed))];
  const reader = entry.createReader();
  const files = [];
  // A reader gives a folder in portions, and an empty one at its end.
  for (;;) {
    const portion = await new Promise((done, failed) => reader.readEntries(done, failed));
    if (!portion.length) return files;
    for (const below of portion) files.push(...(await filesBelow(below)));
  }
}

function followProgress(section) {
  const line = section.querySelector("#progress-line");
  const bar = section.querySelector("#progress-bar");
  const heard = section.querySelector("#heard");
  const mustReload = section.dataset.reload === "yes";
  let lastHeard = "";
  let wait = 500;

  async function look() {
    let state;
    try {
      const answer = await fetch(section.dataset.state, { headers: { Accept: "application/json" } });
      if (answer.status === 404) return window.location.reload();
      state = await answer.json();
      wait = 500;
    } catch {
      wait = Math.min(2 * wait, 8000);
      return window.setTimeout(look, wait);
    }
    line.textContent = state.sentence;
    bar.value = state.share_done;
    const step = `${state.phase} ${Math.floor(4 * state.share_done)}`;
    if (step !== lastHeard) heard.textContent = state.sentence;
    lastHeard = step;
    const isReady = state.done_studies >= Number(section.dataset.number);
    if (mustReload && (isReady || !state.unfinished)) return window.location.reload();
    if (!state.unfinished) {
      section.classList.add("finished");
      return undefined;
    }
    return window.setTimeout(look, wait);
  }
  look();
}

function askBeforeDeleting(form) {
  form.addEventListener("submit", (event) => {
    if (!window.confirm(form.dataset.sure)) event.preventDefault();
  });
  const shown = form.querySelector("[data-epoch]");
  const time = new Date(1000 * Number(shown.dataset.epoch));
  const local = time.toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });
  shown.textContent = filled(shown.dataset.said, { time: local });
}

for (const form of document.querySelectorAll("#upload")) startUpload(form);
for (const section of document.querySelectorAll("#progress")) followProgress(section);
for (const form of document.querySelectorAll(".keeping")) askBeforeDeleting(form);
