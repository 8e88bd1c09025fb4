//! Time of each operation, by criterion: `cargo bench --bench time`.

use criterion::{Criterion, criterion_group, criterion_main};
use pinhole_benches::cases::{CODECS, OPERATIONS, case, exists};

fn operations(criterion: &mut Criterion) {
    for operation in OPERATIONS {
        let mut group = criterion.benchmark_group(operation);
        for codec in CODECS.into_iter().filter(|codec| exists(operation, codec)) {
            let mut work = case(operation, codec);
            group.bench_function(codec, |bencher| bencher.iter(&mut work));
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(std::time::Duration::from_secs(1));
    targets = operations
}
criterion_main!(benches);
