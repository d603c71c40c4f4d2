"""Texts of the page that shows the state of the loop."""

TEXTS: dict[str, tuple[str, str]] = {
    "state_title": ("LungLoop: the state of the loop", "LungLoop: состояние системы"),
    "tagline": (
        "Chest CT annotation that learns from its readers",
        "Разметка КТ грудной клетки, которая учится у врачей",
    ),
    "open_label_studio": ("Open Label Studio", "Открыть Label Studio"),
    # work
    "work": ("Work", "Работа"),
    "count_studies": ("Studies", "Исследования"),
    "count_slices": ("Slices", "Срезы"),
    "count_predicted": ("Predicted", "Сегментированы"),
    "count_corrected": ("Corrected", "Исправлены"),
    "count_open": ("Open", "Осталось"),
    "corrected_percent": ("Corrected by readers", "Исправлено врачами"),
    "predicted_percent": ("Predicted by the champion", "Сегментировано действующей моделью"),
    "no_study": ("No study is imported yet:", "Исследования ещё не импортированы:"),
    # queue
    "queue": ("Queue", "Очередь"),
    "jobs_running": ("running", "выполняется"),
    "jobs_waiting": ("waiting", "ожидает"),
    "jobs_failed": ("failed", "с ошибкой"),
    "nothing_runs": ("Nothing runs now.", "Сейчас ничего не выполняется."),
    "no_queue": ("No queue is configured.", "Очередь не настроена."),
    "job_sync": ("Sync", "Синхронизация"),
    "job_preannotate": ("Pre-annotate", "Предразметка"),
    "job_follow champion": ("Follow the champion", "Переход на новую модель"),
    "job_order": ("Update the worklist", "Обновление рабочего списка"),
    "job_retrain": ("Retrain", "Дообучение"),
    "job_simulate": ("Simulate", "Моделирование"),
    "stage_waiting for a sync": ("waiting for a sync", "ожидание синхронизации"),
    "stage_reading corrections": ("reading corrections", "чтение исправлений"),
    "stage_choosing data": ("choosing data", "выбор данных"),
    "stage_loading slices": ("loading slices", "загрузка срезов"),
    "stage_fitting": ("fitting", "обучение"),
    "stage_comparing": ("comparing", "сравнение"),
    "stage_deciding": ("deciding", "решение"),
    "retrain_asked": ("Retrain asked by {by}, {at}:", "Дообучение запрошено ({by}), {at}:"),
    "by_button": ("button", "кнопка"),
    "by_cli": ("cli", "командная строка"),
    "by_policy": ("policy", "автоматически"),
    "request_pending": ("pending", "ожидает"),
    "request_running": ("running", "выполняется"),
    "request_done": ("done", "выполнено"),
    "request_failed": ("failed", "ошибка"),
    # grades to resolve
    "grades": ("Grades to resolve", "Степени, требующие уточнения"),
    "grades_count": (
        "Studies with more than one possible grade: {undecided}, {listed} of them listed; {intervals}",
        "Исследований с несколькими возможными степенями: {undecided}, показано {listed}; {intervals}",
    ),
    "intervals_calibrated": ("90 % intervals", "интервалы 90 %"),
    "intervals_not_calibrated": ("intervals not calibrated", "интервалы не калиброваны"),
    "study": ("Study", "Исследование"),
    "involvement": ("Involvement", "Вовлечение лёгких"),
    "slices_to_correct": ("Correct these slices", "Исправить срезы"),
    "grade_or": ("{mildest} or {worst}", "{mildest} или {worst}"),
    "from_to": ("{low} to {high}", "от {low} до {high}"),
    "read_whole": ("more than 20: read the whole study", "более 20: просмотрите всё исследование"),
    "no_grade_uncertain": (
        "No grade is uncertain among the studies that the champion has predicted.",
        "Среди исследований, сегментированных действующей моделью, неопределённых степеней нет.",
    ),
    # readers
    "readers": ("Readers", "Врачи"),
    "how_known": (
        "How this is known, and what it does not prove",
        "Откуда это известно и чего не доказывает",
    ),
    "how_known_allocation": (
        "Each slice is randomised once: whether it is shown without a pre-label, whether it is a control "
        "slice (readers cannot tell) and whether two readers get it. So the groups differ in nothing else. "
        "Intervals come from resampling patients.",
        "Для каждого среза один раз случайно определяется, показывать ли его без предразметки, будет ли он "
        "контрольным (врачам это не видно) и получат ли его два врача. Поэтому группы больше ничем не "
        "различаются. Интервалы получены повторной выборкой пациентов.",
    ),
    "how_known_limits": (
        "The seconds are those of a middling slice; a break with a task left open counts as the reader's "
        "longest usual time. More corrected pixels mean that the worklist leads readers to more errors of "
        "the model, not that the next model is better for it; once every slice is read, no order gains "
        "anything. Anchoring to the model is no error where the model is right, but scores on corrected "
        "masks flatter a model by as much.",
        "Секунды относятся к среднему по трудности срезу; перерыв при открытом задании считается самым "
        "долгим обычным временем врача. Больше исправленных пикселей значит, что рабочий список чаще "
        "приводит врачей к ошибкам модели, а не что следующая модель станет лучше; когда просмотрены все "
        "срезы, порядок ничего не даёт. Следование за моделью не ошибка там, где модель права, но оценки по "
        "исправленным маскам завышены на столько же.",
    ),
    "times_by_version": (
        "Time of a slice by the version whose pre-label was shown: median with 95 % interval",
        "Время на срез по версиям показанной предразметки: медиана и интервал 95 %",
    ),
    "what_slices_took": ("What slices took", "Затраты на срез"),
    "medians": (
        "Medians a slice, with 95 % intervals; pixels are those changed of a model's pre-label",
        "Медианы на срез и интервалы 95 %; пиксели — изменённые в предразметке модели",
    ),
    "reader": ("Reader", "Врач"),
    "seconds": ("Seconds", "Секунды"),
    "pixels_changed": ("Pixels changed", "Изменено пикселей"),
    "second_look": ("Worth a second look", "Стоит посмотреть ещё раз"),
    "slice_of_study": ("{study}, slice {index}", "{study}, срез {index}"),
    "second_look_note": (
        "Reader and model disagree strongly there; this does not say who is right.",
        "Здесь врач и модель сильно расходятся; кто прав, отсюда не следует.",
    ),
    "no_readings": (
        "No slice has been read yet. From the first readings on, this part shows what slices take, what a "
        "pre-label saves and what the worklist brings.",
        "Ни один срез ещё не просмотрен. С первых просмотров здесь видно, сколько времени занимают срезы, "
        "что экономит предразметка и что даёт рабочий список.",
    ),
    "plot": (
        "Median seconds a slice by model version, with 95 % intervals",
        "Медиана секунд на срез по версиям модели с интервалами 95 %",
    ),
    "plot_axis": ("seconds a slice", "секунд на срез"),
    "plot_median": ("{seconds:.0f} s, slices: {slices}", "{seconds:.0f} с, срезов: {slices}"),
    "plot_note": (
        "{version}: median {seconds:.0f} s over {slices} slices",
        "{version}: медиана {seconds:.0f} с, срезов: {slices}",
    ),
    "plot_interval": (
        ", 95 % interval {low:.0f} to {high:.0f} s",
        ", интервал 95 % от {low:.0f} до {high:.0f} с",
    ),
    "version_no pre-label": ("no pre-label", "без предразметки"),
    # champion, decisions, versions
    "champion": ("Champion", "Действующая модель"),
    "made": ("made {at}", "создана {at}"),
    "made_from": ("made {at}, trained from {parent}", "создана {at}, дообучена из {parent}"),
    "scores": ("Scores of the champion", "Оценки действующей модели"),
    "dice_by_patient": ("Dice by patient, with 95 % intervals", "Dice по пациентам с интервалами 95 %"),
    "data": ("Data", "Данные"),
    "finding": ("Finding", "Находка"),
    "dice": ("Dice", "Dice"),
    "interval_column": ("Interval", "Интервал"),
    "patients": ("Patients", "Пациенты"),
    "source_test_patients": ("test patients", "тестовые пациенты"),
    "figure_lesion": ("Lesion", "Поражение"),
    "not_estimable": ("not estimable", "не оценить"),
    "no_scores": ("Its card holds no scores yet.", "В её карточке ещё нет оценок."),
    "data_licence": ("Licence of its training data: {licence}", "Лицензия обучающих данных: {licence}"),
    "card_unreadable": ("{path} cannot be read ({error}).", "{path}: файл не читается ({error})."),
    "card_strange": ("{path} is not a model card.", "{path}: это не карточка модели."),
    "no_champion": (
        "There is no champion yet; this makes the shipped weights champion:",
        "Действующей модели ещё нет; веса из поставки сделает действующими команда:",
    ),
    "decisions": ("Last decisions", "Последние решения"),
    "no_decisions": (
        "No model was retrained yet. Press Start Training in Label Studio, or run:",
        "Модель ещё не дообучалась. Нажмите Start Training в Label Studio или выполните:",
    ),
    "versions": ("Model versions", "Версии модели"),
    "version": ("Version", "Версия"),
    "state": ("State", "Состояние"),
    "parent": ("Parent", "Исходная"),
    "made_column": ("Made", "Создана"),
    "state_champion": ("champion", "действующая"),
    "state_challenger": ("challenger", "кандидат"),
    "state_refused": ("refused", "отклонена"),
    "state_retired": ("retired", "снята"),
}
