// Finds sections of the site as one types; SECTIONS holds [kind, page, heading, address, text] of each. It works from disk.
"use strict";
(() => {
    const MOST = 30, box = document.getElementById("find"), list = document.getElementById("found");
    const told = document.getElementById("told"), up = document.body.dataset.up;
    // Pages that explain come before those that list, unless one of these is called just so.
    const KINDS = ["Guide", "Reference", "Notebook", "Figure", "Errata", "Ledger"], EXPLAIN = 3;
    const known = SECTIONS.map(([kind, page, heading, address, text]) => {
        const title = page && page !== heading && page !== kind ? `${page}, ${heading}` : heading;
        return {kind, title, address, text, heading: heading.toLowerCase(), words: title.toLowerCase(),
            all: `${kind} ${title} ${text}`.toLowerCase(), order: KINDS.indexOf(kind)};
    });

    // Smaller is better: how a section fits, or null. Its name is what was typed; its title has all words, from their
    // beginnings or anywhere; or they are in its text.
    function rank({all, heading, words: title, order}, words) {
        const typed = words.join(" "), starts = title.split(/\W+|_/);
        if (!words.every((word) => all.includes(word))) return null;
        if (heading === typed || heading.split(".").at(-1) === typed) return order;
        const fit = words.every((word) => starts.some((each) => each.startsWith(word))) ? 1
            : words.every((word) => title.includes(word)) ? 2 : 3;
        return 1000 * (order < EXPLAIN ? 1 : 2) + 100 * fit + order;
    }

    function around(text, word) {
        const at = Math.max(0, text.toLowerCase().indexOf(word) - 50);
        return (at ? "… " : "") + text.slice(at, at + 140) + (text.length > at + 140 ? " …" : "");
    }

    function show() {
        const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
        const found = words.length
            ? known.map((section) => [rank(section, words), section]).filter(([at]) => at !== null).sort(([a], [b]) => a - b)
            : [];
        list.replaceChildren(...found.slice(0, MOST).map(([, section]) => {
            const item = document.createElement("li"), link = document.createElement("a"), says = document.createElement("small");
            link.href = up + section.address;
            link.textContent = section.kind === section.title ? section.title : `${section.kind}: ${section.title}`;
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
