//! Forged answers against the clients: none is accepted where integrity is asked for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pinhole_sansio::{Datagram, FiveTuple, Instant};
use pinhole_stun::auth::{LongTermClient, Redirections, Verdict};
use pinhole_stun::discovery::{Config, Discovery};
use pinhole_stun::{Class, Credentials, Message, MessageWriter};

fuzz_target!(|bytes: &[u8]| {
    let address = |text: &str| text.parse().expect("an address");
    let (local, server) = (address("192.0.2.1:5000"), address("192.0.2.2:3478"));
    let mut discovery = Discovery::new(Config::new(server, local), [1; 32], Instant::ZERO);
    let five_tuple = FiveTuple::udp(local, server);
    discovery.handle_datagram(Datagram { five_tuple, payload: bytes }, Instant::ZERO);

    let Ok(response) = Message::parse(bytes) else { return };
    let _ = Redirections::default().follow(&response, server, Instant::ZERO);
    let credentials = Credentials::new("user", "password").expect("both are plain");
    let mut client = LongTermClient::new(credentials);
    for _ in 0..8 {
        let (method, id) = (response.method(), response.transaction_id());
        let mut buffer = [0; 4096];
        let mut writer =
            MessageWriter::new(&mut buffer, Class::Request, method, id).expect("it fits");
        let challenged = client.is_challenged();
        let Ok(attempt) = client.authorize(&mut writer) else { return };
        let verdict = client.judge(&response, attempt);
        assert!(!challenged || verdict != Verdict::Accept, "a forged answer is accepted");
        if verdict != Verdict::Retry {
            return;
        }
    }
    panic!("retried without end");
});
