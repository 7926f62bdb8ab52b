//! Addresses of other machines, in a network of this test's own.

use crate::support::alone::alone;
use crate::support::client::Client;
use crate::support::config;
use crate::support::home::Home;
use crate::support::origin::{Origin, metasv};
use crate::support::proxy::Proxy;
use crate::support::stage::{METASV, get};

#[test]
fn this_machine_alone_may_connect_unless_more_is_written() {
    let name = "access::from::this_machine_alone_may_connect_unless_more_is_written";
    alone(name, &["addr add 10.1.2.3/32 dev lo"], || {
        let origin = Origin::start(metasv("test-a"));
        for (from, status) in [("", 403), ("from = [\"127.0.0.0/8\", \"10.1.0.0/16\"]\n", 200)] {
            let tokens = config::TOKENS.replace("[access]\n", &format!("[access]\n{from}"));
            let tables = [config::metasv(&origin.url(), None), tokens];
            let every = config::LISTENERS.replace("127.0.0.1", "0.0.0.0");
            let home = Home::new(&config::listening(&every, &tables));
            home.write(config::TOKENS_FILE, &config::client_tokens(&[("app", "t0ken")]));
            let proxy = Proxy::start_in(home, &[]);
            for (url, target) in [
                (proxy.forward_url(), format!("{METASV}/x")),
                (proxy.gateway_url(), "/metasv/x".to_owned()),
                (proxy.admin_url(), "/metrics".to_owned()),
            ] {
                let request = get(&target).replace("Host: ignored", "Host: 10.1.2.3");
                let token = "\r\nCountersign-Token: t0ken\r\n\r\n";
                let request = request.replace("\r\n\r\n", token);
                for (address, status) in [("10.1.2.3", status), ("127.0.0.1", 200)] {
                    let place = url.replace("0.0.0.0", address);
                    let reply = Client::connect_from(address, &place).exchange(&request);
                    assert_eq!(reply.status, status, "{address} {target}: {from}");
                }
            }
        }
        assert_eq!(origin.begun(), 6);
    });
}
