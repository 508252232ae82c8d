import { BarChart, LineChart } from "echarts/charts";
import { GridComponent, LegendComponent, TooltipComponent } from "echarts/components";
import * as echarts from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";

echarts.use([BarChart, LineChart, GridComponent, LegendComponent, TooltipComponent, CanvasRenderer]);

const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const palette = () => [
  token("--chart-line"), token("--chart-muted"), "#0d9488", "#d97706", "#db2777", "#0284c7", "#7c3aed", "#65a30d",
];

const series = (line, index, kind, colours) => ({
  name: line.name,
  type: kind,
  stack: kind === "bar" ? "all" : undefined,
  data: line.values,
  showSymbol: line.values.length < 3,
  symbolSize: 6,
  connectNulls: true,
  barMaxWidth: 28,
  lineStyle: { width: 2, type: line.dashed ? "dashed" : "solid" },
  areaStyle: line.filled ? { color: token("--chart-fill") } : undefined,
  color: colours[index % colours.length],
});

const option = (data) => {
  const colours = palette();
  const number = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 4 });
  const written = (value) => number.format(value) + (data.unit || "");
  const text = { color: token("--chart-text"), fontFamily: "Inter, sans-serif", fontSize: 12 };
  return {
    animation: !matchMedia("(prefers-reduced-motion: reduce)").matches,
    textStyle: text,
    grid: { left: 8, right: 16, top: data.series.length > 1 ? 40 : 16, bottom: 8, containLabel: true },
    legend: data.series.length > 1
      ? { left: 0, top: 0, itemWidth: 12, itemHeight: 3, icon: "roundRect", textStyle: text, type: "plain" }
      : undefined,
    tooltip: {
      trigger: "axis",
      renderMode: "richText",
      confine: true,
      backgroundColor: token("--popover"),
      borderColor: token("--chart-grid"),
      textStyle: { ...text, color: token("--foreground") },
      valueFormatter: (value) => (value === null || value === undefined ? "–" : written(value)),
    },
    xAxis: {
      type: "category",
      data: data.labels,
      boundaryGap: data.kind === "bar",
      axisLine: { lineStyle: { color: token("--chart-grid") } },
      axisTick: { show: false },
      axisLabel: { ...text, hideOverlap: true },
    },
    yAxis: {
      type: "value",
      minInterval: data.integer_axis ? 1 : undefined,
      splitLine: { lineStyle: { color: token("--chart-grid") } },
      axisLabel: { ...text, formatter: written },
    },
    series: data.series.map((line, index) => series(line, index, data.kind || "line", colours)),
  };
};

const draw = (box) => {
  const data = JSON.parse(document.getElementById(box.dataset.source).textContent);
  const chart = echarts.getInstanceByDom(box) || echarts.init(box);
  chart.setOption(option(data), true);
};

const start = async () => {
  const boxes = [...document.querySelectorAll("[data-chart]")];
  // Canvas text does not reflow: measure with the real font.
  await Promise.all([document.fonts.load("12px Inter"), document.fonts.ready]);
  boxes.forEach(draw);
  const resized = new ResizeObserver((entries) => {
    entries.forEach((entry) => echarts.getInstanceByDom(entry.target)?.resize());
  });
  boxes.forEach((box) => resized.observe(box));
  document.addEventListener("theme:change", () => boxes.forEach(draw));
  document.documentElement.dataset.charts = "ready";
};
start();
