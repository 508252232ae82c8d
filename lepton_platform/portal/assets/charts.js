import { BarChart, LineChart } from "echarts/charts";
import { GridComponent, LegendComponent, TooltipComponent } from "echarts/components";
import * as echarts from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";

echarts.use([BarChart, LineChart, GridComponent, LegendComponent, TooltipComponent, CanvasRenderer]);

const readCssVariable = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const listColours = () => [
  readCssVariable("--chart-line"), readCssVariable("--chart-muted"), "#0d9488", "#d97706", "#db2777", "#0284c7", "#7c3aed", "#65a30d",
];

const buildSeries = (line, index, kind, colours) => ({
  name: line.name,
  type: kind,
  stack: kind === "bar" ? "all" : undefined,
  data: line.values,
  showSymbol: line.values.length < 3,
  symbolSize: 6,
  connectNulls: true,
  barMaxWidth: 28,
  lineStyle: { width: 2, type: line.dashed ? "dashed" : "solid" },
  areaStyle: line.filled ? { color: readCssVariable("--chart-fill") } : undefined,
  color: colours[index % colours.length],
});

const buildChartOptions = (data) => {
  const colours = listColours();
  const numberFormat = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 4 });
  const formatValue = (value) => numberFormat.format(value) + (data.unit || "");
  const text = { color: readCssVariable("--chart-text"), fontFamily: "Inter, sans-serif", fontSize: 12 };
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
      backgroundColor: readCssVariable("--popover"),
      borderColor: readCssVariable("--chart-grid"),
      textStyle: { ...text, color: readCssVariable("--foreground") },
      valueFormatter: (value) => (value === null || value === undefined ? "–" : formatValue(value)),
    },
    xAxis: {
      type: "category",
      data: data.labels,
      boundaryGap: data.kind === "bar",
      axisLine: { lineStyle: { color: readCssVariable("--chart-grid") } },
      axisTick: { show: false },
      axisLabel: { ...text, hideOverlap: true },
    },
    yAxis: {
      type: "value",
      minInterval: data.integer_axis ? 1 : undefined,
      splitLine: { lineStyle: { color: readCssVariable("--chart-grid") } },
      axisLabel: { ...text, formatter: formatValue },
    },
    series: data.series.map((line, index) => buildSeries(line, index, data.kind || "line", colours)),
  };
};

const drawChart = (box) => {
  const data = JSON.parse(document.getElementById(box.dataset.source).textContent);
  const chart = echarts.getInstanceByDom(box) || echarts.init(box);
  chart.setOption(buildChartOptions(data), true);
};

const drawCharts = async () => {
  const boxes = [...document.querySelectorAll("[data-chart]")];
  // Canvas text does not reflow: measure with the real font.
  await Promise.all([document.fonts.load("12px Inter"), document.fonts.ready]);
  boxes.forEach(drawChart);
  const resizeObserver = new ResizeObserver((entries) => {
    entries.forEach((entry) => echarts.getInstanceByDom(entry.target)?.resize());
  });
  boxes.forEach((box) => resizeObserver.observe(box));
  document.addEventListener("theme:change", () => boxes.forEach(drawChart));
  document.documentElement.dataset.charts = "ready";
};
drawCharts();
