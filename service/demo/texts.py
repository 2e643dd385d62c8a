"""The legal texts of the demo: examples that say what they are."""

LEGAL_TEXTS = {
    ("imprint", "de"): """
Dies ist eine Vorführung mit erfundenen Personen und Adressen. Sie läuft nur auf diesem Rechner.

**Angaben gemäß § 5 DDG**

Geschäftsstelle Thüringer Aktionsbündnis, Mainzerhofstr. 12, 99084 Erfurt

E-Mail: geschaeftsstelle@example.org
""",
    ("imprint", "en"): """
This is a demonstration with invented people and addresses. It runs on this machine only.

**Information under § 5 DDG**

Geschäftsstelle Thüringer Aktionsbündnis, Mainzerhofstr. 12, 99084 Erfurt, Germany

Email: geschaeftsstelle@example.org
""",
    ("privacy", "de"): """
Verantwortlich ist in dieser Vorführung niemand, denn alle Angaben sind erfunden.

Im Betrieb steht hier, wer verantwortlich ist und wer zum Datenschutz Auskunft gibt.
""",
    ("privacy", "en"): """
Nobody is the controller in this demonstration, because all data are invented.

In operation this page names the controller and the data protection officer.
""",
    ("accessibility", "de"): """
Diese Seiten sollen für alle nutzbar sein, mit Tastatur, mit Screenreader und ohne JavaScript.

Die Erklärung wird im Betrieb aus den Angaben der Geschäftsstelle erstellt.
""",
    ("accessibility", "en"): """
Everybody should be able to use these pages: by keyboard, screen reader and without JavaScript.

In operation the statement is made from what the office enters.
""",
}
