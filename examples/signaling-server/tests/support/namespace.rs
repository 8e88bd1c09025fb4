//! Runs a test in a network of its own, from which no packet leaves.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::process::{Command, Stdio};
use std::{env, fs, process};

/// Runs `body` in a network and process namespace made for it: loopback, and one interface with the
/// address [`ADDRESS`], a default route, and nobody else on it. `test` is the name of the calling
/// `#[test]`, which this function starts once more inside. All processes of the namespace end with it,
/// and its temporary files go.
///
/// Prints why and returns where the programs or the right to make a namespace are missing.
pub(crate) fn run_in_namespace(test: &str, body: impl FnOnce()) {
    if env::var_os(INSIDE).is_some() {
        return body();
    }
    let Some(flags) = [&["--net"][..], &["--net", "--user", "--map-root-user"]]
        .into_iter()
        .find(|flags| succeeds(namespace(flags).arg("true")))
    else {
        println!("skipped: no right to make a network namespace, or unshare or ip is missing");
        return;
    };
    let itself = env::current_exe().expect("a test knows its own file");
    let mut inner = namespace(flags);
    // A short name: browsers make sockets in it, whose paths have at most 107 bytes.
    let mut hasher = DefaultHasher::new();
    test.hash(&mut hasher);
    let scratch = env::temp_dir().join(format!("{:x}-{}", hasher.finish(), process::id()));
    fs::create_dir_all(&scratch).expect("temporary files can be made");
    inner.arg(itself).args([test, "--exact", "--nocapture"]);
    inner.env(INSIDE, "1").env("TMPDIR", &scratch);
    let output = inner.output();
    let _ = fs::remove_dir_all(&scratch);
    let output = output.expect("unshare was there a moment ago");
    print!("{}", String::from_utf8_lossy(&output.stdout));
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    let ran = String::from_utf8_lossy(&output.stdout).contains("1 passed");
    assert!(ran, "{test} failed in its namespace: {}", output.status);
}

/// `unshare` with these flags, setting up the network; the program to run is yet to be added.
fn namespace(flags: &[&str]) -> Command {
    let set_up = format!(
        "ip link set lo up && ip link add out type veth peer name nowhere && \
         ip address add {ADDRESS}/24 dev out && ip link set out up && ip link set nowhere up && \
         ip route add default dev out && exec \"$@\""
    );
    let mut command = Command::new("unshare");
    command.args(flags).args(["--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c"]);
    command.args([&set_up, "sh"]).stdin(Stdio::null());
    command
}

fn succeeds(command: &mut Command) -> bool {
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// The address of the one interface, kept for documentation (RFC 5737) and used by nobody.
pub(crate) const ADDRESS: &str = "192.0.2.1";

/// Tells the inner test where it is.
const INSIDE: &str = "TEST_IN_NAMESPACE";
