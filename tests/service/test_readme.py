import re
from pathlib import Path

from service.settings import Settings, settings_table_markdown

README = Path(__file__).parents[2] / "README.md"


def test_the_table_of_settings_in_the_readme_is_the_one_of_the_program() -> None:
    found = re.search(
        r"<!-- settings -->\n(.*?)\n<!-- /settings -->", README.read_text("utf-8"), re.DOTALL
    )

    assert found is not None
    assert settings_table_markdown() == found[1].strip()


def test_every_setting_is_described_in_one_sentence() -> None:
    for name, default, description in Settings.table():
        assert description.endswith("."), name
        assert default, name
        assert "|" not in description + default
