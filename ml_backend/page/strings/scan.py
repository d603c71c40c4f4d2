"""Texts of every page, and of the scan page."""

TEXTS: dict[str, tuple[str, str]] = {
    # every page
    "title": ("LungLoop: segment a scan", "LungLoop: сегментация КТ"),
    "scan": ("Segment a scan", "Сегментация КТ"),
    "loop": ("State of the loop", "Состояние системы"),
    "language": ("Language", "Язык"),
    "research": (
        "Research software, not a medical device: not for diagnosis or treatment decisions.",
        "Исследовательская программа, не медицинское изделие: не для постановки диагноза и выбора лечения.",
    ),
    "skip": ("Skip to content", "К содержанию"),
    # upload
    "upload_title": ("Segment a chest CT", "Сегментация КТ органов грудной клетки"),
    "upload_lead": (
        "Ground-glass, consolidation and lung are marked on every slice; a whole study also gets its grade, "
        "CT-0 to CT-4.",
        "На каждом срезе отмечаются матовое стекло, консолидация и лёгкие; для целого исследования "
        "определяется степень от КТ-0 до КТ-4.",
    ),
    "drop_here": (
        "Drop an image, an archive or a study here",
        "Перетащите сюда снимок, архив или исследование",
    ),
    "formats": (
        "NIfTI, DICOM, PNG, JPEG, or a zip archive of those; several at once, too. Up to {limit} in all.",
        "NIfTI, DICOM, PNG, JPEG или zip-архив с ними; можно несколько сразу. Всего не более {limit}.",
    ),
    "choose_files": ("Choose files", "Выбрать файлы"),
    "choose_folder": ("Choose a folder", "Выбрать папку"),
    "send": ("Segment", "Сегментировать"),
    "privacy_title": ("What happens to your files", "Что происходит с вашими файлами"),
    "privacy_where": (
        "They go to the machine that shows this page and to nobody else.",
        "Они передаются только на машину, на которой работает эта страница.",
    ),
    "privacy_time": (
        "They are deleted {minutes} minutes after the upload, or at once when you press Delete now.",
        "Они удаляются через {minutes} мин после загрузки или сразу, по кнопке «Удалить сейчас».",
    ),
    "privacy_use": (
        "They never enter the catalog and no model learns from them.",
        "Они не попадают в каталог, и модели на них не обучаются.",
    ),
    "privacy_link": (
        "Whoever knows the address of a result can see it until then.",
        "До этого времени результат доступен всем, кому известен его адрес.",
    ),
    # progress
    "working": ("Segmenting", "Идёт сегментация"),
    "waiting": (
        "Waiting; scans before yours: {ahead}",
        "В очереди; исследований перед вашим: {ahead}",
    ),
    "reading": ("Reading the files; slices so far: {slices}", "Чтение файлов; прочитано срезов: {slices}"),
    "loading_model": ("Loading the model", "Загрузка модели"),
    "slice_of": ("Slice {done} of {total}", "Срез {done} из {total}"),
    "seconds_left": ("{count} s left", "осталось {count} с"),
    "minutes_left": ("{count} min left", "осталось {count} мин"),
    "hours_left": ("{count:.1f} h left", "осталось {count:.1f} ч"),
    "done": ("Done", "Готово"),
    "stopped": ("Could not be segmented", "Сегментация не удалась"),
    "refresh": (
        "This page reloads by itself; without scripts, reload it now and then.",
        "Страница обновляется сама; если скрипты отключены, обновляйте её вручную.",
    ),
    "nothing_usable": (
        "None of the files could be used; the reasons are below.",
        "Ни один из файлов не удалось использовать; причины указаны ниже.",
    ),
    "not_used": ("Not used", "Не использованы"),
    "another": ("Segment another scan", "Загрузить другое исследование"),
    "studies": ("In this upload", "В этой загрузке"),
    "delete": ("Delete now", "Удалить сейчас"),
    "deleted_at": ("Will be deleted at {time}", "Будет удалено в {time}"),
    "deleted": (
        "The scan and its results were deleted.",
        "Исследование и результаты удалены.",
    ),
    # findings
    "share": ("Share of the lung, %", "Доля поражения, %"),
    "ground_glass": ("Ground-glass", "Матовое стекло"),
    "consolidation": ("Consolidation", "Консолидация"),
    "both": ("Both findings", "Всего"),
    "lung": ("Lung", "Лёгкие"),
    "right": ("Right", "Правое"),
    "left_lung": ("Left", "Левое"),
    "whole": ("Both", "Оба"),
    "whole_study": ("Whole study", "Всё исследование"),
    "all_slices": ("All slices", "Все срезы"),
    "no_lung": ("no lung here", "лёгкого нет"),
    "usual_view": (
        "Right and left as in the usual radiological view (the patient's right on the left of the picture).",
        "Правое и левое — при обычной укладке изображения (правая сторона пациента слева на снимке).",
    ),
    "grade": ("Grade", "Степень"),
    "grade_from_to": ("possible: {grades}", "возможны: {grades}"),
    "look": (
        "More than one grade is possible: a radiologist must decide.",
        "Возможна более чем одна степень: решение за врачом-рентгенологом.",
    ),
    "deciding_worst": ("Worse lung", "Более поражённое лёгкое"),
    "deciding_whole": ("Both lungs", "Оба лёгких"),
    "interval": ("interval {low} to {high}", "интервал от {low} до {high}"),
    "no_interval": ("no calibrated interval", "калиброванного интервала нет"),
    "no_grade_image": (
        "A single slice has a share of its lung, never a grade: CT-0 to CT-4 describe a whole study.",
        "У одного среза есть доля поражения, но не степень: КТ-0..КТ-4 относятся к целому исследованию.",
    ),
    "no_grade_pictures": (
        "Pictures without a place in the patient get shares, but no volumes and no grade.",
        "Для снимков без геометрии определяются доли, но не объёмы и не степень.",
    ),
    "no_grade_study": ("No grade could be given.", "Степень определить нельзя."),
    "rests_on": ("What it rests on", "Основание оценки"),
    "rule": ("Rule", "Правило"),
    "rule_worst": ("the worse lung decides", "степень определяется по более поражённому лёгкому"),
    "rule_whole": ("both lungs together decide", "степень определяется по обоим лёгким вместе"),
    "rule_steps": (
        "CT-0 up to {zero} %, CT-1 below {one} %, CT-2 below {two} %, CT-3 up to {three} %, CT-4 above",
        "КТ-0 до {zero} %, КТ-1 менее {one} %, КТ-2 менее {two} %, КТ-3 до {three} %, КТ-4 выше",
    ),
    "model": ("Model", "Модель"),
    "warnings": ("Take note", "Обратите внимание"),
    "volumes": ("Volumes", "Объёмы"),
    "ml": ("{value} ml", "{value} мл"),
    # facts
    "facts": ("About the images", "Об изображениях"),
    "size": ("Size", "Размер"),
    "slices": ("Slices", "Срезов"),
    "spacing": ("Spacing", "Размер вокселя"),
    "spacing_value": (
        "{column} × {row} mm, slices {slice} mm apart",
        "{column} × {row} мм, между срезами {slice} мм",
    ),
    "values": ("Values", "Значения"),
    "values_hu": ("Hounsfield units", "единицы Хаунсфилда"),
    "values_picture": ("8-bit picture, its window unknown", "8-битное изображение, окно неизвестно"),
    "different_sizes": ("different sizes", "разные размеры"),
    # viewer
    "viewer": ("Slices", "Срезы"),
    "viewer_help": (
        "Scroll: wheel, swipe, arrow and page keys. 1, 2, 3 switch classes, O outline, M mask only, U "
        "uncertainty.",
        "Прокрутка: колесо, свайп, стрелки, Page Up/Down. 1, 2, 3 — классы, O — контур, M — только маска, "
        "U — неопределённость.",
    ),
    "slice": ("Slice", "Срез"),
    "needs_script": (
        "The viewer needs JavaScript; the downloads below work without it.",
        "Для просмотра нужен JavaScript; скачивание ниже работает и без него.",
    ),
    "display": ("Display", "Отображение"),
    "window": ("Window", "Окно"),
    "window_lung": ("Lung", "Лёгочное"),
    "window_mediastinum": ("Mediastinum", "Средостение"),
    "window_bone": ("Bone", "Костное"),
    "window_custom": ("Own", "Вручную"),
    "window_center": ("Centre, HU", "Центр, HU"),
    "window_width": ("Width, HU", "Ширина, HU"),
    "window_fixed": (
        "The window of an 8-bit picture was fixed when it was saved.",
        "Окно 8-битного изображения задано при сохранении.",
    ),
    "classes": ("Classes", "Классы"),
    "colour_of": ("Colour: {name}", "Цвет: {name}"),
    "opacity": ("Opacity", "Непрозрачность"),
    "style": ("Draw as", "Вид"),
    "style_fill": ("Fill", "Заливка"),
    "style_outline": ("Outline", "Контур"),
    "style_mask": ("Mask only", "Только маска"),
    "style_doubt": ("Uncertainty", "Неопределённость"),
    "sure": ("sure", "уверена"),
    "unsure": ("unsure", "не уверена"),
    "uncertainty_note": (
        "How sure the model is of each pixel's class; the classes are not drawn here. "
        "The model can be sure and wrong.",
        "Насколько модель уверена в классе каждого пикселя; сами классы здесь не показаны. "
        "Модель может и уверенно ошибаться.",
    ),
    "overview": ("Overview", "Обзор"),
    "axial": ("Axial slices", "Аксиальные срезы"),
    "coronal": ("Coronal plane", "Корональный срез"),
    "by_slice": ("Share by slice, %", "Доля поражения по срезам, %"),
    # downloads
    "download": ("Download", "Скачать"),
    "download_png": ("This slice as shown (PNG)", "Этот срез как на экране (PNG)"),
    "download_label_png": ("Label map (PNG)", "Карта меток (PNG)"),
    "download_uncertainty": (
        "This slice with the model's uncertainty (PNG)",
        "Этот срез с неопределённостью модели (PNG)",
    ),
    "download_nifti": ("Label map (NIfTI)", "Карта меток (NIfTI)"),
    "download_report": ("Report (HTML, one page)", "Отчёт (HTML, одна страница)"),
    "download_zip": ("Everything (zip)", "Всё (zip)"),
    # reports
    "report": ("Segmentation report", "Отчёт о сегментации"),
    "made_at": ("Made {time}", "Составлен {time}"),
    "most_affected": ("Slices with most findings", "Срезы с наибольшим поражением"),
    "some_slices": ("Slices", "Срезы"),
    "archive_readme": (
        "Label maps: 0 background, 1 ground-glass, 2 consolidation, 3 lung; one value a pixel of the image.\n"
        "Overlays show the classes and colours chosen on the page; in the doubt pictures (the model's "
        "uncertainty) bright means unsure. The shares are in the report.txt files.",
        "Карты меток: 0 фон, 1 матовое стекло, 2 консолидация, 3 лёгкое; одно значение на пиксель снимка.\n"
        "Наложения показывают классы и цвета, выбранные на странице; на картинках doubt (неопределённость "
        "модели) ярко то, в чём модель не уверена. Доли поражения — в файлах report.txt.",
    ),
    # what goes wrong
    "error": ("That did not work", "Не получилось"),
    "gone": (
        "This scan does not exist, or its time was over and it was deleted.",
        "Такого исследования нет, или срок его хранения истёк и оно удалено.",
    ),
    "too_large": (
        "The upload exceeds the limit of {limit}.",
        "Загрузка превышает предел {limit}.",
    ),
    "no_room": (
        "This machine's disk has too little room for these files; try again later.",
        "На диске этой машины недостаточно места для файлов; попробуйте позже.",
    ),
    "busy": (
        "{count} scans are waiting already; try again in a few minutes.",
        "В очереди уже исследований: {count}; попробуйте через несколько минут.",
    ),
    "no_file": (
        "No file was sent; choose an image, an archive or a study.",
        "Файл не передан; выберите снимок, архив или исследование.",
    ),
    "broken_upload": (
        "The upload broke off; send the files again.",
        "Загрузка прервалась; отправьте файлы ещё раз.",
    ),
    "failed_inside": (
        "An internal error; see the log.",
        "Внутренняя ошибка; см. журнал.",
    ),
    # for scripts
    "js_sending": ("Sending: {percent} %", "Отправка: {percent} %"),
    "js_sent": ("Sent; being looked at", "Отправлено; файлы проверяются"),
    "js_no_answer": (
        "The connection broke off; check that the server still runs and send the files again.",
        "Соединение прервалось; проверьте, работает ли сервер, и отправьте файлы ещё раз.",
    ),
    "js_loading": ("loading", "загрузка"),
    "js_slice": ("Slice {number} of {total}", "Срез {number} из {total}"),
    "js_sure_delete": (
        "Delete this scan and its results now?",
        "Удалить исследование и результаты сейчас?",
    ),
    "js_not_loaded": (
        "This slice could not be loaded; the scan may have been deleted.",
        "Срез не удалось загрузить; возможно, исследование уже удалено.",
    ),
}
