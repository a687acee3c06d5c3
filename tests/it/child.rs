//! Programs that tests have supervised: this test binary itself, in another role. They need no
//! other target to be built.

use std::env;
use std::process::exit;

use signal_hook::iterator::Signals;
use tokio_postgres::NoTls;

const ROLE: &str = "TEST_CHILD";

/// The command that makes this binary that child.
fn command(role: &str) -> [String; 6] {
    let binary = env::current_exe().unwrap();
    let binary = binary.to_str().unwrap().to_owned();
    let name = format!("child::{role}");
    let role = format!("{ROLE}={role}");
    [
        "env".to_owned(),
        role,
        binary,
        name,
        "--exact".to_owned(),
        "--nocapture".to_owned(),
    ]
}

/// A database client: logs in once with `DATABASE_URL`, says `connected user=NAME`, and stays
/// connected. It ends with 0 on TERM, and with 1 when its connection is lost or refused.
pub(crate) fn client() -> [String; 6] {
    command("postgres")
}

#[test]
fn postgres() {
    if env::var(ROLE).as_deref() != Ok("postgres") {
        return;
    }
    let mut signals = Signals::new([15]).unwrap();
    std::thread::spawn(move || {
        signals.forever().next();
        println!("stopping");
        exit(0);
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(stay_connected(&env::var("DATABASE_URL").unwrap()));
    exit(1);
}

async fn stay_connected(url: &str) {
    let (client, connection) = match tokio_postgres::connect(url, NoTls).await {
        Ok(connected) => connected,
        Err(error) => {
            let code = error.code().map_or("no answer", |code| code.code());
            println!("refused {code}");
            return;
        }
    };
    let connection = tokio::spawn(connection);
    let row = client.query_one("SELECT current_user::text", &[]).await;
    match row {
        Ok(row) => println!("connected user={}", row.get::<_, String>(0)),
        Err(_) => println!("connected, and lost at once"),
    }
    // The client is held: it is the connection's other end.
    let _ = connection.await;
    println!("connection lost");
    drop(client);
}
