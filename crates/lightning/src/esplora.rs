//! Asks an Esplora server whether a node can start with it: ldk-node's own start tells too little.
//!
//! Here is what goes over the network; what the answers say is read in `answer`.

mod answer;

use std::{error::Error, time::Duration};

use ldk_node::bitcoin::Network;
use reqwest::Client;

pub(crate) use self::answer::Unfit;
use crate::limits::{ESPLORA_ANSWER_BYTES_MAX, ESPLORA_PROBE_TIMEOUT_MS};

/// Asks for all that ldk-node's start needs: the tip, the genesis block and fee estimates.
pub(crate) async fn probe(url: &str, network: Network) -> Result<(), Unfit> {
    let timeout = Duration::from_millis(ESPLORA_PROBE_TIMEOUT_MS);
    match tokio::time::timeout(timeout, ask(url, network)).await {
        Ok(answer) => answer,
        Err(_) => Err(Unfit::Away(format!("no answer within {ESPLORA_PROBE_TIMEOUT_MS} ms"))),
    }
}

async fn ask(url: &str, network: Network) -> Result<(), Unfit> {
    let client = Client::builder().build().map_err(away)?;
    answer::block_hash(&get(&client, url, "/blocks/tip/hash").await?)?;
    let genesis = answer::block_hash(&get(&client, url, "/block-height/0").await?)?;
    let fees = answer::fee_estimates(&get(&client, url, "/fee-estimates").await?)?;
    answer::check(network, genesis, &fees)
}

/// The answer to a GET, which must be one of success and not longer than any of Esplora's that is asked for.
async fn get(client: &Client, url: &str, path: &str) -> Result<Vec<u8>, Unfit> {
    let mut answer = client.get(format!("{url}{path}")).send().await.map_err(away)?;
    if !answer.status().is_success() {
        return Err(Unfit::Away(format!("it answers HTTP {}", answer.status().as_u16())));
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(away)? {
        if body.len().saturating_add(chunk.len()) > ESPLORA_ANSWER_BYTES_MAX {
            return Err(Unfit::Away("its answer is too long for one of the Esplora API".into()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What is wrong, in the words of the innermost error: the outer ones of an HTTP client say nothing.
fn away(error: reqwest::Error) -> Unfit {
    let mut innermost: &dyn Error = &error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    Unfit::Away(if error.source().is_some() { innermost.to_string() } else { "the request failed".into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
        thread,
    };

    /// Serves one fixed answer for each path, until the process ends.
    fn server(answers: &'static [(&'static str, &'static str)]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut request = [0; 4_096];
                let length = stream.read(&mut request).unwrap_or(0);
                let request = String::from_utf8_lossy(&request[..length]).into_owned();
                let path = request.split(' ').nth(1).unwrap_or_default();
                let answer = answers.iter().find(|(of, _)| *of == path);
                let (status, body) = answer.map_or(("404 Not Found", ""), |(_, body)| ("200 OK", *body));
                let length = body.len();
                let _ =
                    write!(stream, "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}");
            }
        });
        url
    }

    const TIP: (&str, &str) = ("/blocks/tip/hash", "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206");
    const REGTEST: (&str, &str) = ("/block-height/0", TIP.1);
    const SIGNET: (&str, &str) =
        ("/block-height/0", "00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6");

    #[tokio::test]
    async fn a_server_of_the_nodes_network_is_fit() {
        let url = server(&[TIP, REGTEST, ("/fee-estimates", "{}")]);
        assert_eq!(probe(&url, Network::Regtest).await, Ok(()));
    }

    #[tokio::test]
    async fn a_server_of_another_network_is_told_from_one_that_is_away() {
        let url = server(&[TIP, SIGNET, ("/fee-estimates", "{}")]);
        assert!(matches!(probe(&url, Network::Regtest).await, Err(Unfit::OtherNetwork(_))));
    }

    #[tokio::test]
    async fn each_way_to_be_away_is_told() {
        let away = async |url: &str| match probe(url, Network::Regtest).await {
            Err(Unfit::Away(why)) => why,
            other => panic!("{other:?}"),
        };
        assert!(away("http://127.0.0.1:1").await.contains("refused"));
        assert!(away(&server(&[])).await.contains("HTTP 404"));
        assert!(away(&server(&[("/blocks/tip/hash", "<html>")])).await.contains("not of the Esplora API"));
        assert!(away(&server(&[TIP, REGTEST])).await.contains("HTTP 404"));
        let endless: &str = "0".repeat(ESPLORA_ANSWER_BYTES_MAX + 1).leak();
        assert!(away(&server(vec![("/blocks/tip/hash", endless)].leak())).await.contains("too long"));
    }
}
