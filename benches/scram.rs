//! What a login costs: the server's two steps with a prepared credential, a keyfile of two keys, and a derivation.

#![expect(clippy::expect_used, reason = "the messages are our own; a bench that can not run should say so")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use doorward::keyfile::KeyFile;
use doorward::names::UserName;
use doorward::scram::{Client, ClientFirst, Credential, Mechanism, decoy};
use doorward::secret::Secret;

/// Salt and iteration count as mongod's defaults have them.
fn settings(mechanism: Mechanism) -> (Vec<u8>, u32) {
    let iteration_count = match mechanism {
        Mechanism::ScramSha1 => 10_000,
        Mechanism::ScramSha256 => 15_000,
    };
    (vec![7; mechanism.salt_length()], iteration_count)
}

/// A client's two messages for the credentials, the last of which gives the password's proof.
fn messages(mechanism: Mechanism, password: &Secret, credentials: &[Arc<Credential>]) -> (Vec<u8>, Vec<u8>) {
    let (client, first) = Client::start(mechanism, "alice", password, [1; 24]);
    let parsed = ClientFirst::parse(&first).expect("our client speaks SCRAM");
    let (_, challenge) = parsed.challenge(credentials.to_vec(), [2; 24]);
    let (_, last) = client.step(&challenge).expect("our server speaks SCRAM");
    (first, last)
}

fn server_steps(criterion: &mut Criterion) {
    for mechanism in Mechanism::ALL {
        let password = Secret::new(b"correct horse battery staple".to_vec());
        let (salt, iteration_count) = settings(mechanism);
        let credentials = vec![Arc::new(Credential::derive(mechanism, password.expose(), salt, iteration_count))];
        let (first, last) = messages(mechanism, &password, &credentials);
        bench_server(criterion, &format!("server {}", mechanism.name()), &credentials, &first, &last);
    }
    let key_file = KeyFile::parse(b"- theoldkeyoldkey\n- thenewkeynewkey\n", "keyfile").expect("two keys");
    let credentials = key_file.credentials([7; 28], 15_000);
    let key = key_file.keys().last().expect("two keys");
    let (first, last) = messages(Mechanism::ScramSha256, key, &credentials);
    bench_server(criterion, "server __system, second of two keys", &credentials, &first, &last);
}

fn bench_server(criterion: &mut Criterion, name: &str, credentials: &[Arc<Credential>], first: &[u8], last: &[u8]) {
    criterion.bench_function(&format!("{name}: first step"), |bencher| {
        bencher.iter_batched(
            || credentials.to_vec(),
            |credentials| ClientFirst::parse(black_box(first)).map(|first| first.challenge(credentials, [2; 24])),
            BatchSize::SmallInput,
        );
    });
    criterion.bench_function(&format!("{name}: second step"), |bencher| {
        bencher.iter_batched(
            || ClientFirst::parse(first).expect("a first message").challenge(credentials.to_vec(), [2; 24]).0,
            |state| state.step(black_box(last)).expect("the right proof"),
            BatchSize::SmallInput,
        );
    });
}

fn derivations(criterion: &mut Criterion) {
    for mechanism in Mechanism::ALL {
        let (salt, iteration_count) = settings(mechanism);
        criterion.bench_function(&format!("derive {}, {iteration_count} iterations", mechanism.name()), |bencher| {
            bencher.iter(|| Credential::derive(mechanism, black_box(b"password"), salt.clone(), iteration_count));
        });
        let (secret, user) = (Secret::new(vec![1; 32]), UserName::new("nobody", "admin"));
        criterion.bench_function(&format!("decoy {}", mechanism.name()), |bencher| {
            bencher.iter(|| decoy(black_box(&secret), mechanism, &user, iteration_count));
        });
    }
}

criterion_group!(benches, server_steps, derivations);
criterion_main!(benches);
