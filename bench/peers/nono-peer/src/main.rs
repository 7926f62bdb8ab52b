//! nono's proxy by itself: `nono-peer PORT UPSTREAM`. What is asked for below /b goes to UPSTREAM's /b, with
//! no credential put in.

#[tokio::main]
async fn main() {
    let [port, upstream] = [1, 2].map(|at| std::env::args().nth(at).expect("PORT UPSTREAM"));
    let config = serde_json::json!({
        "bind_port": port.parse::<u16>().expect("a port"),
        "require_auth": false,
        "max_connections": 1024,
        "routes": [{"prefix": "b", "upstream": format!("{upstream}/b")}],
    });
    let config = serde_json::from_value(config).expect("a configuration");
    let _handle = nono_proxy::start(config).await.expect("it starts");
    std::future::pending::<()>().await
}
