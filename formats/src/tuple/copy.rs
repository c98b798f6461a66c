//! Rows of files of fewer columns, copied into a file of all columns.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, new_null_array};
use arrow_ipc::reader::FileReader;
use arrow_schema::ArrowError;

use super::adapt::adapt;
use super::flat::Leaf;
use super::group::{From, Group, Part, Rows, short};
use super::pending::join_arrays;
use super::schema::{HEAD, Plan};
use super::sink::Sink;
use super::writer::{Chunks, Done};

/// For each column of a file, its place in another, if it is there.
pub(super) type Places = Vec<Option<usize>>;

/// Copies the row groups of a part as columns of `plan`.
pub(super) fn groups(part: Done, plan: &Arc<Plan>, sink: &mut Sink) -> Result<(), ArrowError> {
    let Done { temp, plan: known, groups } = part;
    let part = Arc::new(Part::open(From::Hidden(temp), places(&known, plan))?);
    for (group, Chunks { rows, bytes }) in groups.into_iter().enumerate() {
        let rows = Rows::Parts { parts: vec![(Arc::clone(&part), group)], chunks: rows };
        sink.write(Group { plan: Arc::clone(plan), rows }, bytes)?;
    }
    Ok(())
}

/// Copies the record batches of a part.
pub(super) fn batches_of(part: &Done, plan: &Arc<Plan>, sink: &mut Sink) -> Result<(), ArrowError> {
    let batches_of = FileReader::try_new_buffered(part.temp.open()?, None)?;
    let places = Arc::new(places(&part.plan, plan));
    let chunks = part.groups.iter().flat_map(|group| &group.rows).copied();
    batches(batches_of.map(|batch| Ok((batch?, Arc::clone(&places)))), chunks, plan, sink)
}

/// Copies record batches, each with the places of the columns of `plan`: chunks of so many rows, as many
/// at a time as `plan` says.
pub(super) fn batches(
    mut batches: impl Iterator<Item = Result<(RecordBatch, Arc<Places>), ArrowError>>,
    chunks: impl IntoIterator<Item = usize>,
    plan: &Arc<Plan>,
    sink: &mut Sink,
) -> Result<(), ArrowError> {
    let mut held = VecDeque::new();
    let mut waiting = 0;
    for chunk in chunks {
        let mut left = chunk;
        while left > 0 {
            let rows = left.min(plan.rows());
            while waiting < rows {
                let (batch, places) = batches.next().ok_or_else(short)??;
                waiting += batch.num_rows();
                held.push_back((batch, places));
            }
            let batch = RecordBatch::try_new(Arc::clone(&plan.schema), split(&mut held, rows, plan)?)?;
            let bytes = batch.get_array_memory_size() as u64;
            sink.write(Group { plan: Arc::clone(plan), rows: Rows::Batches(vec![batch]) }, bytes)?;
            left -= rows;
            waiting -= rows;
        }
    }
    Ok(())
}

/// For each column of `whole`, its place in `part`, if it is there.
pub(super) fn places(part: &Plan, whole: &Plan) -> Places {
    let columns = part.schema.fields().len();
    match (&part.leaves, &whole.leaves) {
        (Some(known), Some(leaves)) => {
            let known: HashMap<&Leaf, usize> = known.iter().zip(HEAD.len()..).collect();
            let head = (0..HEAD.len()).map(Some);
            head.chain(leaves.iter().map(|leaf| known.get(leaf).copied())).collect()
        }
        // In list form, columns come behind those that are known.
        _ => (0..whole.schema.fields().len()).map(|i| (i < columns).then_some(i)).collect(),
    }
}

/// Takes the first `rows` rows from `held` as the columns of `plan`.
fn split(
    held: &mut VecDeque<(RecordBatch, Arc<Places>)>,
    rows: usize,
    plan: &Plan,
) -> Result<Vec<ArrayRef>, ArrowError> {
    let mut taken = Vec::new();
    let mut left = rows;
    while left > 0
        && let Some((batch, places)) = held.front_mut()
    {
        let n = left.min(batch.num_rows());
        taken.push((batch.slice(0, n), Arc::clone(places)));
        *batch = batch.slice(n, batch.num_rows() - n);
        if batch.num_rows() == 0 {
            held.pop_front();
        }
        left -= n;
    }
    let column = |(at, field): (usize, &Arc<arrow_schema::Field>)| {
        let wanted = field.data_type();
        if taken.iter().all(|(_, places)| places[at].is_none()) {
            return Ok(new_null_array(wanted, rows));
        }
        let arrays = taken.iter().map(|(batch, places)| match places[at] {
            Some(i) => adapt(batch.column(i), wanted),
            None => Ok(new_null_array(wanted, batch.num_rows())),
        });
        join_arrays(&arrays.collect::<Result<Vec<_>, _>>()?, wanted)
    };
    plan.schema.fields().iter().enumerate().map(column).collect()
}
