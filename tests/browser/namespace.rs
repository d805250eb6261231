//! A network of a test's own: Firefox offers no candidate on the loopback, and only addresses that
//! a default route uses. So the test runs once more as a process in a network namespace that has
//! both and leads nowhere. Such a namespace needs no root where the kernel lets users make their
//! own, as Debian's does.

use std::process::{Command, Output};

/// Where the server of such a test takes media.
pub const MEDIA_IP: &str = "10.77.0.1";

/// Another address of the machine, for a line in between.
pub const LINE_IP: &str = "10.77.0.2";

/// Runs `story` in a namespace; `test` is the name of the test that calls this and nothing else.
pub fn inside(test: &str, story: impl FnOnce()) {
    if std::env::var_os(MARK).is_some() {
        lay_network();
        return story();
    }
    let way = WAYS.iter().find(|way| is_open(way)).unwrap_or_else(|| panic!("{WANTING}"));
    let mut again = Command::new("unshare");
    again.args(*way).arg(std::env::current_exe().expect("a process knows its program"));
    again.args(["--exact", test, "--nocapture"]).env(MARK, "1");
    let Output { status, stdout, stderr } = again.output().expect("it was tried");
    let said = String::from_utf8_lossy(&stdout);
    let is_passed = status.success() && said.contains("1 passed");
    assert!(is_passed, "in its namespace:\n{said}{}", String::from_utf8_lossy(&stderr));
}

fn is_open(way: &[&str]) -> bool {
    let tried = Command::new("unshare").args(way).arg("true").output();
    tried.is_ok_and(|output| output.status.success())
}

/// One end of a cable whose other end is nowhere.
fn lay_network() {
    for step in STEPS {
        let output = Command::new("ip").args(step.split(' ')).output();
        let output = output.expect("tests/run installs iproute2");
        assert!(output.status.success(), "ip {step}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// As somebody who is root only in there, or as root of the machine.
const WAYS: [&[&str]; 2] = [&["--user", "--map-root-user", "--net"], &["--net"]];
const STEPS: [&str; 7] = [
    "link set lo up",
    "link add near type veth peer name far",
    "addr add 10.77.0.1/24 dev near",
    "addr add 10.77.0.2/24 dev near",
    "link set near up",
    "link set far up",
    "route add default dev near",
];
const MARK: &str = "VOXHALL_TEST_NAMESPACE";
const WANTING: &str = "Firefox needs a network namespace, and neither `unshare --user \
    --map-root-user --net` nor `unshare --net` makes one. Let users make their own (sysctl \
    user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns=0), or run as root; in \
    a container, with CAP_SYS_ADMIN.";
