//! Which pane goes where, for every size.

use ratatui::layout::Rect;

use super::ui::Pane;

/// How much room there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// From 120×30: every pane.
    Full,
    /// From 80×24: the panes one looks at, below each other.
    Stacked,
    /// From 40×10: one pane, the others as tabs.
    Tabs,
    /// Smaller: one line.
    Line,
}

impl Size {
    /// That of this area.
    pub const fn of(area: Rect) -> Self {
        match (area.width, area.height) {
            (120.., 30..) => Self::Full,
            (80.., 24..) => Self::Stacked,
            (40.., 10..) => Self::Tabs,
            _ => Self::Line,
        }
    }
}

/// The screen without its first and last line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts {
    /// The first line.
    pub header: Rect,
    /// What is between.
    pub body: Rect,
    /// The last line.
    pub footer: Rect,
}

/// Divides the screen.
pub fn parts(area: Rect) -> Parts {
    let (header, rest) = top(area, 1);
    let (body, footer) = top(rest, rest.height.saturating_sub(1));
    Parts {
        header,
        body,
        footer,
    }
}

/// The panes of the main view and where they are. `enlarged` is the one that fills it.
pub fn panes(body: Rect, size: Size, focus: Pane, enlarged: bool) -> Vec<(Pane, Rect)> {
    if enlarged {
        return vec![(focus, body)];
    }
    match size {
        Size::Full => full(body),
        Size::Stacked => {
            let panes = stacked(body);
            // A focused pane that has no place of its own takes that of the last one.
            if panes.iter().any(|(pane, _)| *pane == focus) {
                panes
            } else {
                swap_last(panes, focus)
            }
        }
        Size::Tabs | Size::Line => vec![(focus, body)],
    }
}

fn full(body: Rect) -> Vec<(Pane, Rect)> {
    let bottom_height = (body.height / 3).clamp(8, 14);
    let (upper, lower) = top(body, body.height - bottom_height);
    let (left, right) = side(upper, upper.width * 53 / 100);
    let (jobs, lanes) = top(left, (left.height / 2).max(5));
    let (vram, rest) = top(right, 6.min(right.height));
    let (context, rest) = top(rest, 4.min(rest.height));
    let (trims, failures) = top(rest, (rest.height / 2).clamp(0, 8));
    let (throughput, progress) = side(lower, left.width);
    vec![
        (Pane::Jobs, jobs),
        (Pane::Lanes, lanes),
        (Pane::Vram, vram),
        (Pane::Context, context),
        (Pane::Trims, trims),
        (Pane::Failures, failures),
        (Pane::Throughput, throughput),
        (Pane::Progress, progress),
    ]
}

fn stacked(body: Rect) -> Vec<(Pane, Rect)> {
    // There are more lanes than jobs to look at.
    let extra = body.height.saturating_sub(22);
    let (jobs, rest) = top(body, 4 + extra / 4);
    let (lanes, rest) = top(rest, 5 + extra / 2);
    let (middle, last) = top(rest, rest.height.saturating_sub(5));
    let (throughput, progress) = side(middle, middle.width / 2);
    vec![
        (Pane::Jobs, jobs),
        (Pane::Lanes, lanes),
        (Pane::Throughput, throughput),
        (Pane::Progress, progress),
        (Pane::Vram, last),
    ]
}

fn swap_last(mut panes: Vec<(Pane, Rect)>, focus: Pane) -> Vec<(Pane, Rect)> {
    if let Some((pane, _)) = panes.last_mut() {
        *pane = focus;
    }
    panes
}

/// The first rows of an area, and the rest.
pub fn top(area: Rect, rows: u16) -> (Rect, Rect) {
    let rows = rows.min(area.height);
    (
        Rect {
            height: rows,
            ..area
        },
        Rect {
            y: area.y + rows,
            height: area.height - rows,
            ..area
        },
    )
}

/// The first columns of an area, and the rest.
pub fn side(area: Rect, columns: u16) -> (Rect, Rect) {
    let columns = columns.min(area.width);
    (
        Rect {
            width: columns,
            ..area
        },
        Rect {
            x: area.x + columns,
            width: area.width - columns,
            ..area
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panes_never_overlap_and_fill_the_body() {
        for (width, height) in [
            (120, 30),
            (200, 60),
            (80, 24),
            (119, 29),
            (40, 10),
            (300, 100),
        ] {
            let area = Rect::new(0, 0, width, height);
            let body = parts(area).body;
            for focus in Pane::ALL {
                let panes = panes(body, Size::of(area), focus, false);
                let cells: u32 = panes.iter().map(|(_, area)| area.area()).sum();
                assert_eq!(cells, body.area(), "{width}×{height}");
                assert!(panes.iter().any(|(pane, _)| *pane == focus));
                for (place, (_, one)) in panes.iter().enumerate() {
                    assert!(
                        panes
                            .iter()
                            .skip(place + 1)
                            .all(|(_, other)| !one.intersects(*other))
                    );
                }
            }
        }
    }
}
