"""Names, tags and keys that nobody would choose and somebody has: strategies of hypothesis, the same in every run."""

from typing import Any
from urllib.parse import quote

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

SEEN = (
    "../../etc/passwd", "prod/../db", ".", "..", "...", "/", "//", "/a//b/", "a/", "-", "--", "-.-", "#", "a#b", "#b",
    "'\"><script>alert(1)</script>", "</td></tr>", "{{ 7|add:7 }}", "{% debug %}", "{access}", "%s%n%(x)s", "$(id)",
    "line\nbreak", "return\r\nSet-Cookie: a=b", "tab\t", " spaces ", "\u2028\u2029\x85", "\x1b[31mred", "\x7f",
    "\u202eright to left", "\u200fmark", "\u200b", "\ufeffbom", "é", "e\u0301", "ß", "ŉ", "İ", "ﬁ", "²", "٣", "９9",
    "😀", "👩‍👩‍👧‍👦" * 30, "😀" * 512, "x" * 512, "x/" * 256, "0leading", "9", "007", "A" * 300, "_", "=", "==", ":", "::",
    "null", "true", "yes", "~", "0x1f", "1e9", "2026-01-01", "items", "keys", "values", "- a", "? b", "& c", "*d", "!e",
    "|", ">", "@f", "`g", "a: b", "a #b", "arn:", "arn:aws:secretsmanager:::secret:", "arn:aws:ssm:x:1:parameter/a/b",
    "arn:aws:secretsmanager:eu-west-3:123456789012:secret:prod/db-AbCdEf", "projects/1/secrets/x/versions/2",
    "https://example.com/?name=a", "uuid/", "password", "db.hosts.0", "a.b", "a\\.b", "*", "a|b", "[0]", "{}",
)  # fmt: skip
# What no database column holds, and JSON and forms can bring all the same.
UNKEEPABLE = ("\x00", "a\x00b", "\ud800", "a\udfffb", "\ud83d")

_kept = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
# What a column can hold.
kept = st.one_of(
    st.sampled_from(SEEN), st.text(_kept, min_size=1, max_size=40), st.text(_kept, min_size=500, max_size=512)
)
# What JSON or a request can bring.
anything = st.one_of(kept, st.sampled_from(UNKEEPABLE), st.text(st.characters(), max_size=40))
tags = st.dictionaries(kept, kept, max_size=3)


def fixed(examples: int = 100) -> Any:
    """Return settings by which every run tries the same examples, however slow the machine is."""
    return settings(
        derandomize=True,
        database=None,
        deadline=None,
        max_examples=examples,
        # Why an example fails is told by the traceback; hypothesis' own search for that takes minutes.
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
        ],
    )


def encoded(fields: dict[str, str]) -> str:
    """Return a query or a form's body as bytes that need not be UTF-8."""
    return "&".join(f"{name}={quote(text.encode('utf-8', 'surrogatepass'))}" for name, text in fields.items())
