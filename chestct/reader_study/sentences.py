"""The figures as sentences: the same words in the terminal and on the page."""

from collections.abc import Callable

from chestct.reader_study.estimates import Estimate
from chestct.reader_study.figures import WHOLE, ReadersEstimates
from chestct.reader_study.wording import said
from chestct.wording import Message, written

_Form = Callable[[float], str]


def sentences(estimates: ReadersEstimates, language: str = "en") -> list[str]:
    """One sentence a question, with its interval, or with the reason why there is none."""
    speaker = _Speaker(language)
    return [
        speaker.seconds(estimates.seconds_saved),
        speaker.automation_bias(estimates.automation_bias),
        speaker.gain(estimates.gain_per_slice, estimates.gain_per_minute),
        speaker.agreement(estimates.agreement[WHOLE]),
    ]


class _Speaker:
    def __init__(self, language: str) -> None:
        self._language = language

    def _say(self, kind: str, **values: object) -> str:
        return said(Message(kind, values), self._language)

    def seconds(self, estimate: Estimate) -> str:
        if estimate.mean is None:
            return self._say("seconds_unknown", reason=self._reason(estimate))
        return self._say(
            "seconds_saved" if estimate.mean >= 0 else "seconds_lost",
            **self._compared(estimate, self._amount, lambda mean: self._say("in_seconds", value=mean)),
        )

    def automation_bias(self, estimate: Estimate) -> str:
        if estimate.mean is None:
            return self._say("pull_unknown", reason=self._reason(estimate))
        kind = "pull_nearer" if estimate.mean >= 0 else "pull_farther"
        return self._say(kind, **self._compared(estimate, self._dice, self._dice))

    def gain(self, by_slice: Estimate, by_minute: Estimate) -> str:
        if by_slice.mean is None:
            return self._say("gain_unknown", reason=self._reason(by_slice))
        minute = ""
        if by_minute.mean is not None:
            between = self._between(by_minute, self._amount)
            minute = self._say("gain_by_minute", more=self._more(by_minute.mean), between=between)
        compared = self._compared(by_slice, self._amount, self._amount)
        return self._say("gain", more=self._more(by_slice.mean), by_minute=minute, **compared)

    def agreement(self, estimate: Estimate) -> str:
        if estimate.mean is None:
            return self._say("agreement_unknown", reason=self._reason(estimate))
        return self._say(
            "agreement",
            amount=self._dice(estimate.mean),
            between=self._between(estimate, self._dice),
            slices=estimate.n,
            patients=self._patients(estimate.patients),
            caution=self._few_patients(estimate),
        )

    def _compared(self, estimate: Estimate, form: _Form, form_of_part: _Form) -> dict[str, str]:
        """What every sentence about a difference is filled in with."""
        first, second = (
            self._say("part", figure=form_of_part(part.mean), n=part.n, name=name)
            for name, part in estimate.parts.items()
        )
        patients = self._patients(estimate.patients)
        unsure = "" if estimate.excludes_zero else self._say("maybe_nothing")
        return {
            "amount": form(abs(estimate.mean or 0.0)),
            "between": self._between(estimate, form),
            "parts": self._say("parts", first=first, second=second, patients=patients),
            "caution": unsure + self._few_patients(estimate),
        }

    def _between(self, estimate: Estimate, form: _Form) -> str:
        """The interval, turned round with a figure whose sign a word tells."""
        if estimate.interval is None:
            return self._say("no_interval", reason=self._reason(estimate).rstrip("."))
        low, high = estimate.interval
        if (estimate.mean or 0.0) < 0:
            low, high = -high, -low
        return self._say("between", low=form(low), high=form(high))

    def _few_patients(self, estimate: Estimate) -> str:
        return self._say("few_patients") if estimate.resampled == "slice" else ""

    def _reason(self, estimate: Estimate) -> str:
        return "" if estimate.why is None else said(estimate.why, self._language)

    def _more(self, mean: float) -> str:
        return self._say("more" if mean >= 0 else "fewer", amount=self._amount(abs(mean)))

    def _patients(self, count: int) -> str:
        return self._say("patient") if count == 1 else self._say("patients", count=count)

    def _amount(self, value: float) -> str:
        """Whole numbers, with one more digit where they are small."""
        is_large = abs(value) >= 10
        # + 0.0: no minus before a zero.
        rounded = round(value, 0 if is_large else 1) + 0.0
        return written(rounded, ",.0f" if is_large else ".1f", self._language)

    def _dice(self, value: float) -> str:
        return written(value, ".2f", self._language)
