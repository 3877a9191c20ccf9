#!/usr/bin/env python3
"""Draws a terminal's text as an SVG: render.py TITLE < text > picture.svg"""
import html
import sys

LINE, WIDTH, PAD = 18, 7.85, 18


def main():
    title = sys.argv[1]
    lines = sys.stdin.read().rstrip("\n").split("\n")
    width = int(max(len(line) for line in lines) * WIDTH) + 2 * PAD
    height = len(lines) * LINE + 2 * PAD + 26
    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" role="img">')
    print(f"<title>{html.escape(title)}</title>")
    print(f'<rect width="{width}" height="{height}" rx="9" fill="#14181f"/>')
    for n, colour in enumerate(("#ff5f57", "#febc2e", "#28c840")):
        print(f'<circle cx="{PAD + 4 + 18 * n}" cy="19" r="5.5" fill="{colour}"/>')
    print('<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,monospace" font-size="13" xml:space="preserve">')
    for n, line in enumerate(lines):
        fill = "#7ee2b8" if line.startswith("$") else "#d7dde7"
        if " refused at " in line or "REFUSED" in line.split(" ")[:1]:
            fill = "#ffc66d"
        y = PAD + 26 + LINE * (n + 1) - 5
        print(f'<text x="{PAD}" y="{y}" fill="{fill}">{html.escape(line)}</text>')
    print("</g></svg>")


main()
