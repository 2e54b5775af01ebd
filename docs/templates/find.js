// Finds sections of the site as one types; SECTIONS holds [page, heading, address, text] of each. It works from disk.
"use strict";
(() => {
    const MOST = 12, box = document.getElementById("find"), list = document.getElementById("found");
    const told = document.getElementById("told"), up = document.body.dataset.up;
    const known = SECTIONS.map(([page, heading, address, text]) => ({
        page, heading, address, text, title: `${page} ${heading}`.toLowerCase(), all: `${page} ${heading} ${text}`.toLowerCase(),
    }));

    function score(section, words) {
        let sum = 0;
        for (const word of words) {
            if (!section.all.includes(word)) return 0;
            const inTitle = section.title.indexOf(word);
            sum += inTitle < 0 ? 1 : 10 + (inTitle === 0 || /\W/.test(section.title[inTitle - 1]) ? 5 : 0);
            if (section.heading.toLowerCase() === word) sum += 20;
        }
        return sum;
    }

    function around(text, word) {
        const at = Math.max(0, text.toLowerCase().indexOf(word) - 50);
        return (at ? "… " : "") + text.slice(at, at + 140) + (text.length > at + 140 ? " …" : "");
    }

    function show() {
        const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
        const found = words.length
            ? known.map((section) => [score(section, words), section]).filter(([sum]) => sum).sort((a, b) => b[0] - a[0])
            : [];
        list.replaceChildren(...found.slice(0, MOST).map(([, section]) => {
            const item = document.createElement("li"), link = document.createElement("a"), says = document.createElement("small");
            link.href = up + section.address;
            link.textContent = section.heading === section.page ? section.page : `${section.page}: ${section.heading}`;
            says.textContent = around(section.text, words[0]);
            item.append(link, says);
            return item;
        }));
        if (words.length && !found.length) {
            const item = document.createElement("li");
            item.textContent = `Nothing found for “${box.value.trim()}”`;
            list.append(item);
        }
        list.hidden = !words.length;
        told.textContent = words.length ? `${found.length} found` : "";
    }

    box.addEventListener("input", show);
    box.addEventListener("focus", show);
    document.addEventListener("keydown", (event) => {
        if (event.key === "/" && !/INPUT|TEXTAREA/.test(document.activeElement.tagName)) {
            event.preventDefault();
            box.focus();
        } else if (event.key === "Escape") {
            box.value = "";
            show();
        } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
            const stops = [box, ...list.querySelectorAll("a")], at = stops.indexOf(document.activeElement);
            const next = stops[at + (event.key === "ArrowDown" ? 1 : -1)];
            if (at >= 0 && next) {
                event.preventDefault();
                next.focus();
            }
        }
    });
})();
