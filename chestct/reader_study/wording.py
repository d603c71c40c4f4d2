"""What the figures say, in English for the terminal and JSON, in both languages for the page."""

from chestct.wording import Message, worded

TEXTS: dict[str, tuple[str, str]] = {
    # why there is no figure, or no interval
    "too_few": (
        "Too few readings: {first} {first_name} and {second} {second_name} by the same readers; "
        "{needed} of each are needed.",
        "Слишком мало просмотров одними и теми же врачами: {first_name} — {first}, {second_name} — {second}; "
        "нужно не менее {needed} каждого вида.",
    ),
    "one_unit": (
        "All {first_name} or all {second_name} readings are of one {unit}.",
        "Все просмотры одного вида ({first_name} или {second_name}) относятся к одному и тому же: {unit}.",
    ),
    "too_few_timed": (
        "Too few timed readings: {first} {first_name} and {second} {second_name}; "
        "{needed} of each are needed.",
        "Слишком мало просмотров с известным временем: {first_name} — {first}, {second_name} — {second}; "
        "нужно не менее {needed} каждого вида.",
    ),
    "one_arm": (
        "All readings of one arm are of one {unit}.",
        "Все просмотры одной группы относятся к одному и тому же: {unit}.",
    ),
    "too_few_pairs": (
        "It is marked on {marked} of {drawn} slices drawn for two readers; {needed} are needed.",
        "Отмечено на {marked} из {drawn} срезов, отобранных для двух врачей; нужно не менее {needed}.",
    ),
    "too_few_drawn_pairs": (
        "It is marked on {marked} of {drawn} slices drawn for two readers; {needed} are needed "
        "({others} others were not drawn and do not count).",
        "Отмечено на {marked} из {drawn} срезов, отобранных для двух врачей; нужно не менее {needed} "
        "(другие, не отобранные случайно, не учитываются: {others}).",
    ),
    "one_slice": ("All pairs are of one slice.", "Все пары относятся к одному срезу."),
    # names that stand in other texts
    "name_blank": ("blank", "без предразметки"),
    "name_pre-labelled": ("pre-labelled", "с предразметкой"),
    "name_active": ("active", "активное обучение"),
    "name_control": ("control", "контроль"),
    "name_patient": ("patient", "пациент"),
    "name_slice": ("slice", "срез"),
    # the four sentences
    "seconds_unknown": (
        "Seconds that a pre-label saves: not known yet. {reason}",
        "Сколько секунд экономит предразметка: пока неизвестно. {reason}",
    ),
    "seconds_saved": (
        "A pre-label saves {amount} s on a middling slice{between}: {parts}.{caution}",
        "Предразметка экономит {amount} с на среднем срезе{between}: {parts}.{caution}",
    ),
    "seconds_lost": (
        "A pre-label costs {amount} s on a middling slice{between}: {parts}.{caution}",
        "Предразметка отнимает {amount} с на среднем срезе{between}: {parts}.{caution}",
    ),
    "pull_unknown": (
        "How far readers are pulled toward the pre-label: not known yet. {reason}",
        "Насколько врачи следуют за предразметкой: пока неизвестно. {reason}",
    ),
    "pull_nearer": (
        "Readers who see the pre-label end {amount} Dice nearer to the model than readers who do "
        "not{between}: {parts}.{caution}",
        "Врачи, которые видят предразметку, на {amount} Dice ближе к модели, чем те, кто её не "
        "видит{between}: {parts}.{caution}",
    ),
    "pull_farther": (
        "Readers who see the pre-label end {amount} Dice farther from the model than readers who do "
        "not{between}: {parts}.{caution}",
        "Врачи, которые видят предразметку, на {amount} Dice дальше от модели, чем те, кто её не "
        "видит{between}: {parts}.{caution}",
    ),
    "gain_unknown": (
        "What active learning gains: not known yet. {reason}",
        "Что даёт активное обучение: пока неизвестно. {reason}",
    ),
    "gain": (
        "On slices that active learning chose, readers correct {more} pixels a slice than on the control "
        "slices{between}{by_minute}; {parts}.{caution}",
        "На срезах, выбранных активным обучением, врачи исправляют пикселей на срез {more}, чем на "
        "контрольных{between}{by_minute}; {parts}.{caution}",
    ),
    "gain_by_minute": (", and {more} a minute{between}", ", а за минуту — {more}{between}"),
    "agreement_unknown": (
        "Agreement between readers: not known yet. {reason}",
        "Согласие между врачами: пока неизвестно. {reason}",
    ),
    "agreement": (
        "Two readers of one slice agree with a lesion Dice of {amount}{between}, over {slices} slices of "
        "{patients}.{caution}",
        "Два врача на одном срезе согласны с Dice поражений {amount}{between}, срезов: {slices}, "
        "{patients}.{caution}",
    ),
    # their parts
    "more": ("{amount} more", "на {amount} больше"),
    "fewer": ("{amount} fewer", "на {amount} меньше"),
    "in_seconds": ("{value:.0f} s", "{value:.0f} с"),
    "between": (" (95 % interval {low} to {high})", " (интервал 95 % от {low} до {high})"),
    "no_interval": (" (no interval: {reason})", " (интервала нет: {reason})"),
    "part": ("{figure} on {n} {name}", "{figure} ({name}, просмотров: {n})"),
    "parts": ("{first} and {second} readings of {patients}", "{first} и {second}; {patients}"),
    "patient": ("1 patient", "пациентов: 1"),
    "patients": ("{count} patients", "пациентов: {count}"),
    "maybe_nothing": (
        " This does not rule out that there is no difference.",
        " Это не исключает, что различия нет.",
    ),
    "few_patients": (
        " So few patients speak for themselves only.",
        " Столь малое число пациентов говорит только о них самих.",
    ),
    # a second look
    "far_more": (
        "{pixels} pixels changed, far more than this reader usually does (z = {z:.1f}).",
        "Изменено пикселей: {pixels}, намного больше обычного для этого врача (z = {z:.1f}).",
    ),
    "sure_cleared": (
        "The reader cleared {pixels} pixels of which {version} was sure, {percent:.0f} % of the lesion that "
        "either marks (Dice {dice:.2f}).",
        "Врач стёр пиксели, в которых модель {version} была уверена: {pixels}, {percent:.0f} % поражения, "
        "отмеченного врачом или моделью (Dice {dice:.2f}).",
    ),
    "sure_drew": (
        "The reader drew {pixels} pixels of which {version} was sure, {percent:.0f} % of the lesion that "
        "either marks (Dice {dice:.2f}).",
        "Врач дорисовал пиксели, в которых модель {version} была уверена: {pixels}, {percent:.0f} % "
        "поражения, отмеченного врачом или моделью (Dice {dice:.2f}).",
    ),
    "sure_changed": (
        "The reader changed {pixels} pixels of which {version} was sure, {percent:.0f} % of the lesion that "
        "either marks (Dice {dice:.2f}).",
        "Врач изменил пиксели, в которых модель {version} была уверена: {pixels}, {percent:.0f} % поражения, "
        "отмеченного врачом или моделью (Dice {dice:.2f}).",
    ),
}


def said(message: Message, language: str = "en") -> str:
    """A message in that language, the names in its values too."""
    values = {
        name: said(Message(f"name_{value}"), language) if f"name_{value}" in TEXTS else value
        for name, value in message.values.items()
    }
    return worded(Message(message.kind, values), TEXTS, language)
