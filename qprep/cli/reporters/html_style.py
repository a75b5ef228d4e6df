"""Style of the page of `--report`: light and dark, from 320 pixels on without a scroll bar of the page."""

from __future__ import annotations

STYLE = """
:root{color-scheme:light dark;--ink:#1d252c;--dim:#5b6874;--line:#d5dbe1;--paper:#fff;--card:#f4f6f8;
--safe:#2f7d4f;--unsafe:#9a6a00;--declined:#b3382f;--added:#1d6b3a;--removed:#a12d25;--bar:#6b8fb5}
@media(prefers-color-scheme:dark){:root{--ink:#e3e8ed;--dim:#93a0ad;--line:#323c46;--paper:#151b21;--card:#1e262e;
--safe:#63c089;--unsafe:#e0b050;--declined:#ef8178;--added:#7fd6a0;--removed:#f0918a;--bar:#5f86ad}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1100px;margin:0 auto;padding:1rem}
h1{margin:0;font-size:1.6rem}h2{margin:2rem 0 .5rem;font-size:1.2rem}p{margin:.3rem 0}
code,pre{font:13px/1.45 ui-monospace,monospace}code,td,summary,p{overflow-wrap:anywhere}
pre{margin:.3rem 0;padding:.5rem;background:var(--card);overflow-x:auto;border-radius:4px}
.dim{color:var(--dim)}.note{color:var(--unsafe)}
.cards{display:flex;flex-wrap:wrap;gap:.6rem;margin:1rem 0}
.cards div{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:.5rem .9rem}
.cards b{font-size:1.3rem}
table{border-collapse:collapse;width:100%}
td,th{padding:.3rem .5rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
.number{text-align:right;font-variant-numeric:tabular-nums}
td:first-child code{white-space:nowrap}
.wide{width:15%}.wide i{display:block;height:.8rem;margin-top:.3rem;background:var(--bar);border-radius:2px}
@media(max-width:640px){.wide{display:none}}
details{margin:.4rem 0}summary{cursor:pointer}.inner{margin-left:.8rem}
article{margin:.5rem 0 .8rem .8rem;padding:.2rem .7rem;border-left:4px solid var(--line)}
article.safe{border-color:var(--safe)}article.unsafe{border-color:var(--unsafe)}article.declined{border-color:var(--declined)}
.rule{font-weight:700}.added{color:var(--added)}.removed{color:var(--removed)}
""".strip()
