//! What was dropped from histories to make prompts fit.

use ratatui::layout::Rect;

use super::empty;
use crate::tui::canvas::Canvas;
use crate::tui::ui::Pane;

pub(super) fn draw(canvas: &mut Canvas<'_>, area: Rect) {
    let inner = canvas.pane(area, Pane::Trims, "0");
    empty(
        canvas,
        inner,
        &["none: requests are independent, nothing is dropped"],
    );
}
