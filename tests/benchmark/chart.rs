//! The chart of latency by table size.

use plotters::prelude::*;
use serde_json::Value;
use std::{error::Error, path::Path};

const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
    RGBColor(120, 94, 240),
];

/// Draws each operation's median latency against the size of the table, on logarithmic axes.
pub fn draw(growth: &[Value], file: &Path) -> Result<(), Box<dyn Error>> {
    let points = |row: &Value| -> Vec<(f64, f64)> {
        let sizes = row["sizes"].as_array().into_iter().flatten();
        let point = |size: &Value| Some((size["size"].as_f64()?, size["p50Us"].as_f64()? / 1e3));
        sizes.filter_map(point).collect()
    };
    let all: Vec<_> = growth.iter().flat_map(points).collect();
    let least = |of: fn(&(f64, f64)) -> f64| all.iter().map(of).fold(f64::INFINITY, f64::min);
    let most = |of: fn(&(f64, f64)) -> f64| all.iter().map(of).fold(0.0, f64::max);
    let (x, y) = (least(|p| p.0)..most(|p| p.0), (least(|p| p.1) / 2.0)..(most(|p| p.1) * 2.0));

    let area = SVGBackend::new(file, (800, 480)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .margin(15)
        .margin_right(30)
        .x_label_area_size(45)
        .y_label_area_size(65)
        .build_cartesian_2d(x.log_scale(), y.log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc("products or concerts in the table")
        .y_desc("median latency, ms")
        .x_label_formatter(&|size| format!("{size:.0}"))
        .y_label_formatter(&|ms| format!("{ms}"))
        .draw()?;
    for (row, colour) in growth.iter().zip(COLOURS.iter().cycle()) {
        let name = row["operation"].as_str().unwrap_or_default();
        let style = colour.stroke_width(2);
        chart
            .draw_series(LineSeries::new(points(row), style).point_size(4))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .border_style(TRANSPARENT)
        .draw()?;
    area.present()?;
    Ok(())
}
