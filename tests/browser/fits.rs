//! Whether a page fits its window, on a phone and on a desk.

use serde_json::json;

use super::person::Person;

/// Nothing goes beyond the sides, at either size.
pub fn page_fits(person: &Person) {
    for (width, height) in [(390, 844), (1280, 800)] {
        let size = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500,
        });
        person.browser.devtools("Emulation.setDeviceMetricsOverride", &size);
        person.until(&format!("innerWidth === {width}"));
        assert_eq!(person.browser.run(TOO_WIDE), json!([]), "at {width} x {height}");
    }
}

/// What makes the page scroll sideways, or cannot be reached without.
const TOO_WIDE: &str = "
    const isOut = ({left, right, width}) => width > 0 && (left < 0 || right > innerWidth);
    const which = 'button, input, select, h1, .person, .strip, .voice';
    const parts = [...document.querySelectorAll(which)];
    const out = parts.filter((part) => isOut(part.getBoundingClientRect()));
    const told = out.map((part) => part.outerHTML);
    return document.scrollingElement.scrollWidth > innerWidth ? ['the page', ...told] : told;
";
