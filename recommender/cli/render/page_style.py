"""The style sheet of the page: light and dark, nothing fetched."""

from __future__ import annotations

CSS = """
:root { color-scheme: light dark; --page: #ffffff; --ink: #1b1f24; --soft: #57606a; --line: #d0d7de; --band: #f4f6f8; --first: #0b57a4; --front: #b4500a;
  --c0: #2f6fb5; --c1: #d98f2b; --c2: #3d8f4d; --c3: #8a63b8; --c4: #b8486a; --c5: #5f7580; --texture: #ffffff; }
@media (prefers-color-scheme: dark) { :root { --page: #14181d; --ink: #e6eaef; --soft: #a3adb8; --line: #3a434d; --band: #1d232a; --first: #7cb8f5; --front: #f0a060;
  --c0: #5b9be0; --c1: #e0a850; --c2: #62b573; --c3: #ab8ad6; --c4: #d9708f; --c5: #8aa0ab; --texture: #14181d; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .8rem; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; } h3 { font-size: 1.02rem; margin: 1.6rem 0 .5rem; }
article + article { border-top: 3px solid var(--line); margin-top: 3rem; padding-top: 1.5rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; margin: 0; } dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
.answer { border: 2px solid var(--first); border-radius: .5rem; padding: .8rem 1rem; margin: 1.2rem 0; } .answer p { margin: .2rem 0; }
.verdict { font-weight: 700; letter-spacing: .03em; } .path { font-size: 1.25rem; font-weight: 650; overflow-wrap: anywhere; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .93rem; }
th, td { border-bottom: 1px solid var(--line); padding: .4rem .6rem; text-align: left; vertical-align: top; } thead th { background: var(--band); }
td small, th small { display: block; color: var(--soft); font-weight: 400; } tr.decides th, tr.decides td { background: var(--band); font-weight: 650; } .nowrap { white-space: nowrap; }
pre { background: var(--band); border: 1px solid var(--line); border-radius: .4rem; padding: .7rem .9rem; overflow-x: auto; }
code { font: .88rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; } li { overflow-wrap: anywhere; margin: .15rem 0; }
.ids { color: var(--soft); font-size: .9rem; } details { margin: .6rem 0; } summary { cursor: pointer; } figure { margin: .5rem 0; overflow-x: auto; } figure > svg { min-width: 34rem; } figcaption { color: var(--soft); font-size: .9rem; }
svg { width: 100%; height: auto; display: block; } svg text { fill: var(--ink); font-size: 12.5px; } svg .axis { fill: var(--soft); font-size: 13px; }
svg .rank { font-weight: 700; font-size: 13.5px; } .frame { fill: none; stroke: var(--soft); } .grid { stroke: var(--line); stroke-width: .7; fill: none; }
.front { fill: none; stroke: var(--front); stroke-width: 1.8; stroke-dasharray: 6 4; } .whisker { fill: none; stroke: var(--first); stroke-width: 1.3; opacity: .75; }
.mark { fill: var(--page); stroke: var(--soft); stroke-width: 1.5; } .mark text { stroke: none; } .mark.shown { fill: var(--first); stroke: var(--page); } .mark .stroke, .mark.shown .stroke { fill: none; stroke: var(--first); stroke-width: 2.2; }
.part { stroke: var(--page); stroke-width: 1; } .texture { fill: none; stroke: var(--texture); stroke-width: 1.4; opacity: .55; } .limit { fill: none; stroke: var(--front); stroke-width: 2; stroke-dasharray: 5 3; }
.c0 { fill: var(--c0); } .c1 { fill: var(--c1); } .c2 { fill: var(--c2); } .c3 { fill: var(--c3); } .c4 { fill: var(--c4); } .c5 { fill: var(--c5); }
svg.swatch { width: .85rem; height: .85rem; display: inline-block; vertical-align: -.1rem; margin-right: .4rem; }
@media print { details { display: block; } .answer { break-inside: avoid; } }
""".strip()
