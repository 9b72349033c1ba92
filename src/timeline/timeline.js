// SPDX-License-Identifier: Apache-2.0
// The page of a build: a list of steps with bars, of which only the visible rows exist as elements; search, filters, zoom,
// details of a step; changes of a running build. And the list of builds: search, changes.
"use strict";
(() => {
const $ = id => document.getElementById(id);

// el("p", {class: "note"}, "text", child): texts become text nodes, never markup.
function el(tag, attributes, ...children) {
	const e = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes || {})) {
		if (typeof value === "function") e.addEventListener(name, value);
		else if (value !== false && value != null) e.setAttribute(name, value === true ? "" : value);
	}
	e.append(...children.filter(c => c != null));
	return e;
}

function duration(us) {
	const s = us / 1e6;
	if (s < 1) return Math.floor(us / 1000) + " ms";
	if (s < 10) return s.toFixed(2) + " s";
	if (s < 60) return s.toFixed(1) + " s";
	if (s < 3600) return Math.floor(s / 60) + " min " + Math.floor(s % 60) + " s";
	return Math.floor(s / 3600) + " h " + Math.floor(s / 60 % 60) + " min";
}

function size(bytes) {
	const units = ["B", "kB", "MB", "GB", "TB"];
	let unit = 0;
	for (; bytes >= 1000 && unit < units.length - 1; unit++) bytes /= 1000;
	return (unit ? bytes.toFixed(1) : bytes) + " " + units[unit];
}

// ---- the list of builds

function listPage() {
	const search = $("list-search"), table = $("builds");
	search.parentElement.hidden = false;
	const filter = () => {
		const words = search.value.toLowerCase();
		for (const row of table.tBodies[0].rows) row.hidden = !row.textContent.toLowerCase().includes(words);
	};
	search.addEventListener("input", filter);
	const refresh = async () => {
		try {
			const reply = await fetch("/", {cache: "no-store"});
			const fresh = new DOMParser().parseFromString(await reply.text(), "text/html").getElementById("builds");
			const picked = [...table.querySelectorAll("input:checked")].map(i => [i.name, i.value]);
			if (fresh && !table.contains(document.activeElement)) {
				table.tBodies[0].replaceWith(document.adoptNode(fresh.tBodies[0]));
				for (const [name, value] of picked)
					for (const i of table.querySelectorAll("input[name=" + name + "]")) if (i.value === value) i.checked = true;
				filter();
			}
		} catch (e) { /* the daemon may be restarting: asked again */ }
		setTimeout(refresh, 2000);
	};
	setTimeout(refresh, 2000);
}

// ---- a build

function buildPage() {
	const data = JSON.parse($("data").textContent), base = $("main").dataset.base;
	const steps = [], usedBy = new Map();
	let view = [], first = 0, last = Math.max(data.end, 1), selected = 0, critical = new Set(data.critical), zoomed = false;
	let logOf = 0;

	const merge = list => {
		for (const s of list) {
			steps[s.number] = s;
			s.text = (s.number + " " + s.name + " " + s.digest + " " + (s.error || "") + " " + (s.miss || "")).toLowerCase();
			s.begin = s.spans.length ? Math.min(...s.spans.map(x => x[0])) : -1;
			for (const i of s.inputs) {
				if (!usedBy.has(i)) usedBy.set(i, new Set());
				usedBy.get(i).add(s.number);
			}
		}
	};
	const ends = s => s.spans.length ? Math.max(...s.spans.map(x => x[1] == null ? data.end : x[1])) : -1;
	// Spans of a step do not overlap, except by mistake of the sender.
	const took = s => s.spans.reduce((sum, x) => sum + (x[1] == null ? data.end : x[1]) - x[0], 0);
	merge(data.steps);

	// -- elements
	const search = el("input", {type: "search", id: "search", autocomplete: "off", spellcheck: "false"});
	const states = el("select", {id: "filter"}, ...[["", "all results"], ["done", "ran"], ["cached", "cached"], ["failed", "failed, canceled"],
		["running", "running"], ["pending", "not started"]].map(([value, text]) => el("option", {value}, text)));
	const order = el("select", {id: "order"}, ...[["number", "number"], ["start", "start"], ["duration", "duration"]]
		.map(([value, text]) => el("option", {value}, text)));
	const onlyCritical = el("input", {type: "checkbox", id: "only-critical"});
	const count = el("span", {class: "count", id: "count", role: "status"});
	const axis = el("div", {class: "axis", role: "columnheader", "aria-label": "Timeline", title: "Drag to enlarge a range; double-click for all"});
	const space = el("div", {class: "space", role: "rowgroup"});
	const body = el("div", {class: "body", id: "rows", tabindex: "0", role: "grid", "aria-label": "Steps"}, space);
	const panel = el("aside", {class: "panel", id: "panel", "aria-label": "Step", tabindex: "-1", hidden: true});
	const grid = el("div", {class: "grid"},
		el("div", {class: "head"}, el("span", {class: "number"}, "#"), el("span", {}, "Step"), el("span", {}, "Result"),
			el("span", {class: "number"}, "Duration"), axis), body);
	const split = el("div", {class: "split"}, grid, panel);
	const zoomButton = (text, label, factor) => el("button", {type: "button", "aria-label": label, title: label,
		click: () => factor ? zoom(factor, .5) : fit()}, text);
	$("app").replaceChildren(
		el("div", {class: "toolbar"}, el("label", {class: "search"}, "Search ", search), el("label", {}, "Show ", states),
			el("label", {}, "Order ", order), el("label", {}, onlyCritical, " critical path only"),
			el("span", {class: "group", role: "group", "aria-label": "Zoom"}, zoomButton("−", "Zoom out", 2), zoomButton("+", "Zoom in", .5),
				zoomButton("fit", "Show the whole build")), count), split);

	// -- rows
	const rowHeight = () => parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--row"));
	const narrow = () => matchMedia("(max-width: 640px)").matches;

	const bar = (kind, from, to, label, open) => {
		const width = last - first, a = Math.max(from, first), b = Math.min(to, last);
		if (b < first || a > last) return null;
		const e = el("i", {class: "bar " + kind + (open ? " open" : ""), title: label});
		e.style.left = Math.min((a - first) / width * 100, 99.6) + "%";
		e.style.width = Math.max(b - a, 0) / width * 100 + "%";
		return e;
	};

	const bars = s => {
		const box = el("span", {class: "bars", role: "gridcell"});
		for (const t of ticks()) {
			const line = el("i", {class: "tick"});
			line.style.left = (t - first) / (last - first) * 100 + "%";
			box.append(line);
		}
		const kind = s.state === "failed" || s.state === "canceled" ? "failed" : s.state === "cached" ? "cache" : "run";
		const put = b => { if (b) box.append(b); };
		if (s.ready != null) put(bar("queue", s.ready, s.begin, "waiting to start: " + duration(s.begin - s.ready)));
		for (const [a, b] of s.spans) put(bar(kind, a, b == null ? data.end : b, kind + ": " + duration((b == null ? data.end : b) - a), b == null));
		for (const [id, phase, , , a, b] of s.statuses || [])
			if (a != null && phase !== "run") put(bar(phase, a, b == null ? data.end : b, id + ": " + duration((b || a) - a)));
		return box;
	};

	const row = (s, i, height) => {
		const isCritical = critical.has(s.number);
		const e = el("div", {class: "row " + s.state + (isCritical ? " critical" : "") + (s.number === selected ? " selected" : ""), role: "row",
			id: "row-" + s.number, "aria-rowindex": i + 1, "aria-selected": s.number === selected ? "true" : "false"},
			el("span", {class: "num number", role: "gridcell"}, String(s.number)),
			el("span", {class: "name", role: "gridcell", title: s.name + (s.miss ? "\ncache miss: " + s.miss : "")},
				isCritical ? el("span", {class: "mark", role: "img", "aria-label": "on the critical path"}, "◆") : null,
				s.warnings ? el("span", {role: "img", "aria-label": "has warnings"}, "⚠ ") : null, s.name),
			el("span", {role: "gridcell"}, el("span", {class: "state " + s.state}, s.state)),
			el("span", {class: "number", role: "gridcell"}, s.begin < 0 ? "–" : duration(took(s))), bars(s));
		e.style.top = i * height + "px";
		e.dataset.step = s.number;
		return e;
	};

	let queued = false;
	const draw = () => {
		queued = false;
		const height = rowHeight();
		const from = Math.max(Math.floor(body.scrollTop / height) - 4, 0);
		const to = Math.min(Math.ceil((body.scrollTop + body.clientHeight) / height) + 4, view.length);
		const rows = [];
		for (let i = from; i < to; i++) rows.push(row(view[i], i, height));
		space.replaceChildren(...rows);
		if (selected && $("row-" + selected)) body.setAttribute("aria-activedescendant", "row-" + selected);
		else body.removeAttribute("aria-activedescendant");
	};
	const later = () => {
		if (!queued) requestAnimationFrame(draw);
		queued = true;
	};

	// -- time axis
	const ticks = () => {
		const width = Math.max(axis.clientWidth, 100), about = (last - first) / Math.max(width / 90, 2);
		const power = Math.pow(10, Math.floor(Math.log10(about)));
		const step = [1, 2, 5, 10].map(f => f * power).find(s => s >= about);
		const list = [];
		for (let t = Math.ceil(first / step) * step; t <= last; t += step) list.push(t);
		return list;
	};
	const drawAxis = () => axis.replaceChildren(...ticks().map(t => {
		const place = (t - first) / (last - first);
		const e = el("span", {class: place < .04 ? "first" : place > .94 ? "last" : ""}, t === 0 ? "0" : duration(t));
		e.style.left = place * 100 + "%";
		return e;
	}));
	const show = (a, b) => {
		const least = 1000;
		first = Math.max(Math.min(a, b - least), 0);
		last = Math.min(Math.max(b, first + least), Math.max(data.end, least));
		zoomed = first > 0 || last < data.end;
		drawAxis();
		later();
	};
	const fit = () => show(0, data.end);
	const zoom = (factor, at) => {
		const center = first + (last - first) * at, width = (last - first) * factor;
		show(center - width * at, center + width * (1 - at));
	};
	const place = event => {
		const box = axis.getBoundingClientRect();
		return Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
	};
	let dragFrom = null;
	axis.addEventListener("pointerdown", event => {
		dragFrom = place(event);
		axis.setPointerCapture(event.pointerId);
		axis.append(el("i", {class: "range"}));
	});
	axis.addEventListener("pointermove", event => {
		const range = axis.querySelector(".range");
		if (dragFrom == null || !range) return;
		range.style.left = Math.min(dragFrom, place(event)) * 100 + "%";
		range.style.width = Math.abs(place(event) - dragFrom) * 100 + "%";
	});
	axis.addEventListener("pointerup", event => {
		if (dragFrom == null) return;
		const a = Math.min(dragFrom, place(event)), b = Math.max(dragFrom, place(event)), width = last - first;
		dragFrom = null;
		if (b - a > .01) show(first + a * width, first + b * width);
		else drawAxis();
	});
	axis.addEventListener("dblclick", fit);
	body.addEventListener("wheel", event => {
		if (!event.ctrlKey && !event.shiftKey) return;
		event.preventDefault();
		if (event.ctrlKey) zoom(event.deltaY > 0 ? 1.25 : .8, place(event));
		else show(first + (last - first) * Math.sign(event.deltaY) * .1, last + (last - first) * Math.sign(event.deltaY) * .1);
	}, {passive: false});

	// -- which rows
	const choose = () => {
		const words = search.value.toLowerCase().split(/\s+/).filter(w => w), state = states.value;
		view = steps.filter(s => s && (!state || s.state === state || (state === "failed" && s.state === "canceled")) &&
			(!onlyCritical.checked || critical.has(s.number)) && words.every(w => s.text.includes(w)));
		const never = Number.MAX_SAFE_INTEGER;
		if (order.value === "start") view.sort((a, b) => (a.begin < 0 ? never : a.begin) - (b.begin < 0 ? never : b.begin) || a.number - b.number);
		if (order.value === "duration") view.sort((a, b) => took(b) - took(a) || a.number - b.number);
		body.setAttribute("aria-rowcount", view.length);
		space.style.height = view.length * rowHeight() + "px";
		const total = steps.length ? steps.length - 1 : 0;
		count.textContent = view.length === total ? total + " steps" : view.length + " of " + total + " steps";
		later();
	};
	let typing;
	search.addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(choose, 60); });
	for (const e of [states, order, onlyCritical]) e.addEventListener("change", choose);
	body.addEventListener("scroll", later, {passive: true});
	addEventListener("resize", () => { drawAxis(); choose(); });

	// -- details of a step
	const link = n => el("a", {href: "#step-" + n}, n + " " + (steps[n] ? steps[n].name : ""));
	const linkList = (title, list) => list.length ? [el("h3", {}, title),
		el("ul", {}, ...list.slice(0, 40).map(n => el("li", {}, link(n))), list.length > 40 ? el("li", {}, "and " + (list.length - 40) + " more") : null)] : [];
	const term = (name, value) => value == null || value === "" ? [] : [el("dt", {}, name), el("dd", {}, value)];

	const loadLog = async (s, pre) => {
		const inside = $("log-" + s.number);
		if (inside) pre.textContent = inside.querySelector("pre").textContent;
		else if (base) {
			try {
				const reply = await fetch(base + "log/" + s.number, {cache: "no-store"});
				if (selected === s.number) pre.textContent = await reply.text();
			} catch (e) { pre.textContent = "The log cannot be read now."; }
		}
		pre.scrollTop = s.state === "running" || s.error ? pre.scrollHeight : 0;
	};

	const detail = s => {
		const statuses = (s.statuses || []).map(([id, phase, current, total, a, b]) => el("tr", {}, el("td", {}, id),
			el("td", {class: "number"}, current ? size(current) + (total && total !== current ? " of " + size(total) : "") : ""),
			el("td", {class: "number"}, a != null && b != null ? duration(b - a) : "")));
		const log = s.log ? el("pre", {class: "log", tabindex: "0"}, "…") : null;
		panel.replaceChildren(
			el("button", {type: "button", class: "close", click: () => { location.hash = ""; body.focus(); }}, "Close"),
			el("h2", {}, s.name),
			el("p", {class: "note"}, el("span", {class: "state " + s.state}, s.state), critical.has(s.number) ? " ◆ on the critical path" : ""),
			el("dl", {}, ...term("Start", s.begin < 0 ? null : duration(s.begin) + " after the build"), ...term("Duration", s.begin < 0 ? null : duration(took(s))),
				...Object.entries(s.phases).flatMap(([phase, us]) => us > 0 ? term("– " + phase, duration(us)) : []),
				...term("Group", s.group), ...term("Digest", el("span", {class: "digest"}, s.digest))));
		if (s.miss) panel.append(el("h3", {}, "Why it missed the cache"), el("p", {class: "miss"}, s.miss),
			el("ul", {}, ...(s.changes || []).slice(0, 100).map(c => el("li", {}, c))),
			s.compared ? el("p", {class: "note"}, "compared with build " + s.compared) : "");
		if (s.error) panel.append(el("h3", {}, "Error"), el("pre", {class: "error"}, s.error));
		if (s.warnings) panel.append(el("h3", {}, "Warnings"), el("ul", {}, ...s.warnings.map(w => el("li", {}, w))));
		if (statuses.length) panel.append(el("h3", {}, "Progress"), el("table", {}, el("tbody", {}, ...statuses)));
		panel.append(...linkList("Inputs", s.inputs), ...linkList("Used by", [...(usedBy.get(s.number) || [])]));
		if (log) panel.append(el("h3", {}, "Log (" + size(s.log) + ")"), log);
		panel.hidden = false;
		split.classList.add("open");
		logOf = s.log || 0;
		if (log) loadLog(s, log);
	};

	const select = (n, focus) => {
		const s = steps[n];
		if (!s && !selected) return;
		selected = s ? n : 0;
		if (!s) {
			panel.hidden = true;
			split.classList.remove("open");
		} else {
			detail(s);
			let at = view.indexOf(s);
			if (at < 0) {
				search.value = "";
				states.value = "";
				onlyCritical.checked = false;
				choose();
				at = view.indexOf(s);
			}
			const height = rowHeight(), top = at * height;
			if (top < body.scrollTop || top + height > body.scrollTop + body.clientHeight) body.scrollTop = Math.max(top - body.clientHeight / 2, 0);
			if (focus && narrow()) panel.scrollIntoView();
		}
		draw();
		drawAxis();
	};
	const follow = () => {
		const match = /^#step-(\d+)$/.exec(location.hash);
		select(match ? Number(match[1]) : 0, true);
	};
	addEventListener("hashchange", follow);
	body.addEventListener("click", event => {
		const e = event.target.closest(".row");
		if (e) location.hash = "step-" + e.dataset.step;
	});
	body.addEventListener("keydown", event => {
		const at = view.findIndex(s => s.number === selected), page = Math.max(Math.floor(body.clientHeight / rowHeight()) - 1, 1);
		const moves = {ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -view.length, End: view.length};
		const pan = {ArrowLeft: -.1, ArrowRight: .1}[event.key];
		if (event.key in moves && view.length) {
			event.preventDefault();
			const to = Math.min(Math.max(at < 0 ? 0 : at + moves[event.key], 0), view.length - 1);
			history.replaceState(null, "", "#step-" + view[to].number);
			select(view[to].number, false);
		} else if (pan) {
			event.preventDefault();
			show(first + (last - first) * pan, last + (last - first) * pan);
		} else if (event.key === "+" || event.key === "-") zoom(event.key === "+" ? .5 : 2, .5);
		else if (event.key === "0") fit();
		else if (event.key === "Escape") location.hash = "";
		else if (event.key === "Enter" && selected) panel.focus();
	});
	addEventListener("keydown", event => {
		if (event.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) {
			event.preventDefault();
			search.focus();
		}
	});

	// -- changes of a running build
	const summary = () => {
		const n = {};
		for (const s of steps) if (s) n[s.state] = (n[s.state] || 0) + 1;
		const set = (id, text) => {
			if ($(id).textContent !== String(text)) $(id).textContent = text;
			$(id).parentElement.hidden = text === 0;
		};
		set("build-duration", duration(data.end));
		set("n-total", steps.length ? steps.length - 1 : 0);
		for (const state of ["cached", "done", "running", "pending"]) set("n-" + state, n[state] || 0);
		set("n-failed", (n.failed || 0) + (n.canceled || 0));
	};
	const poll = async () => {
		try {
			const reply = await fetch(base + "data.json?since=" + data.version, {cache: "no-store"});
			const fresh = await reply.json();
			Object.assign(data, fresh);
			merge(fresh.steps);
			critical = new Set(fresh.critical);
			if (!zoomed) { first = 0; last = Math.max(data.end, 1); }
			summary();
			choose();
			drawAxis();
			const s = steps[selected];
			if (s && (fresh.steps.includes(s) || (s.log || 0) !== logOf) && !panel.contains(document.activeElement)) detail(s);
			if (!fresh.live) { location.reload(); return; }
		} catch (e) { count.textContent = "The daemon does not answer."; }
		setTimeout(poll, 1000);
	};

	if ($("logs")) $("logs").hidden = true;
	choose();
	drawAxis();
	follow();
	if (data.live && base) setTimeout(poll, 1000);
}

if ($("builds")) listPage();
if ($("data")) buildPage();
})();
