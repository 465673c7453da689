async (withAxe, rules) => {
  await new Promise((done) => setTimeout(done, 60));
  const out = { Overflow: Math.max(0, document.documentElement.scrollWidth - innerWidth), Wide: [], Weak: [], Faults: window.faults || [], Axe: [] };
  if (out.Overflow) {
    for (const e of document.querySelectorAll("main *, header *")) {
      if (e.getBoundingClientRect().right > innerWidth + 0.5 && out.Wide.length < 5) out.Wide.push(e.tagName + "." + e.className + "#" + e.id);
    }
  }
  for (const e of document.querySelectorAll("table")) {
    if (e.offsetWidth > e.parentElement.clientWidth) out.Weak.push(`a table is ${e.offsetWidth - e.parentElement.clientWidth} px wider than its card`);
  }
  // Contrast of control borders against what lies behind them (WCAG 1.4.11).
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (color, under) => {
    canvas.fillStyle = under || "#fff";
    canvas.fillRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const d = canvas.getImageData(0, 0, 1, 1).data;
    return `rgb(${d[0]},${d[1]},${d[2]})`;
  };
  const light = (color) => {
    const [r, g, b] = color.match(/\d+/g).map((x) => (x /= 255) <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((m, n) => n - m); return (x + 0.05) / (y + 0.05); };
  const behind = (e) => {
    const layers = [];
    for (; e; e = e.parentElement) layers.unshift(getComputedStyle(e).backgroundColor);
    return layers.reduce((under, c) => rgb(c, under), "rgb(255,255,255)");
  };
  for (const e of document.querySelectorAll("input.input, select.select, textarea.textarea, .choice, .btn[data-variant=outline], .btn[data-variant=danger]")) {
    if (!e.getClientRects().length) continue;
    const s = getComputedStyle(e);
    const under = behind(e.parentElement);
    const r = ratio(rgb(s.borderTopColor, under), under);
    if (r < 3) out.Weak.push(`border of ${e.tagName}.${e.className}#${e.id} has ${r.toFixed(2)}:1`);
  }
  if (withAxe) {
    const result = await axe.run(document, { runOnly: rules?.length ? { type: "rule", values: rules } : ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] });
    out.Axe = result.violations.map((v) => ({ ID: v.id, Help: v.help, Nodes: v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160) + " " + (n.any[0]?.message || "")) }));
  }
  return JSON.stringify(out);
}
