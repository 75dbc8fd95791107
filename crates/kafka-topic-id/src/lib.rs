//! Asks a broker for the id of a topic, which the Rust client does not pass on; the one crate with unsafe code.
//!
//! A topic that is deleted and made anew has the same name and another id. `DescribeTopics` of librdkafka tells it
//! together with the partitions, and makes no topic by asking.

use rdkafka::client::{Client, ClientContext};
use rdkafka_sys as sys;
use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr::NonNull;
use std::time::Duration;

/// The client ends a question itself when its time is over; so much later it is not waited for any more.
const GRACE: Duration = Duration::from_millis(500);

/// What brokers call a topic that is not there.
const UNKNOWN_TOPIC: &[u8] = b"UNKNOWN_TOPIC_OR_PART";

/// A topic as a broker knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Description {
    /// Drawn when the topic is made.
    pub id: u128,
    pub partitions: u32,
    /// Copies that each partition has, of the partition that has the fewest.
    pub replicas: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DescribeError {
    #[error("{0}")]
    Unavailable(String),
    #[error("the brokers tell no ids of topics: they are older than Kafka 2.8")]
    NoIds,
}

/// What a broker says of a topic within `patience`; `None` when there is none of that name.
pub fn describe<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
    patience: Duration,
) -> Result<Option<Description>, DescribeError> {
    let unavailable = |why: &str| DescribeError::Unavailable(why.to_owned());
    let name = CString::new(topic).map_err(|_| unavailable("the topic's name has a zero byte"))?;
    let answer = ask(client, &name, patience).ok_or_else(|| unavailable("no broker answered in time"))?;
    read(&answer)
}

/// A thing of librdkafka that is ours alone, and goes with this.
struct Owned<T> {
    pointer: NonNull<T>,
    destroy: unsafe extern "C" fn(*mut T),
}

impl<T> Owned<T> {
    /// # Safety
    /// `pointer` is null or ours alone, and `destroy` is what librdkafka wants it to be freed by.
    unsafe fn new(pointer: *mut T, destroy: unsafe extern "C" fn(*mut T)) -> Option<Self> {
        NonNull::new(pointer).map(|pointer| Self { pointer, destroy })
    }

    fn pointer(&self) -> *mut T {
        self.pointer.as_ptr()
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: `new` had it promised that the pointer is ours alone and is freed by this; nothing uses it afterwards.
        unsafe { (self.destroy)(self.pointer.as_ptr()) }
    }
}

type Answer = Owned<sys::rd_kafka_event_t>;

/// `None` when nobody answered, or when there was no memory for the question.
fn ask<C: ClientContext>(client: &Client<C>, name: &CStr, patience: Duration) -> Option<Answer> {
    let native = client.native_ptr();
    // SAFETY: the client lives as long as its borrow, which outlives this call, and the queue with it.
    let queue = unsafe { Owned::new(sys::rd_kafka_queue_new(native), sys::rd_kafka_queue_destroy) }?;
    let mut names = [name.as_ptr()];
    // SAFETY: `names` holds one valid string; the collection copies it.
    let topics = unsafe {
        let pointer = sys::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
        Owned::new(pointer, sys::rd_kafka_TopicCollection_destroy)
    }?;
    // SAFETY: the client is valid, and the options are freed by this before it goes.
    let options = unsafe {
        let pointer = sys::rd_kafka_AdminOptions_new(
            native,
            sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
        );
        Owned::new(pointer, sys::rd_kafka_AdminOptions_destroy)
    }?;
    let mut complaint: [c_char; 128] = [0; 128];
    // A time out of bounds is refused and the client's own one stays: the queue below is not waited at for longer.
    // SAFETY: the options are valid, and the buffer is as long as is said.
    let _ = unsafe {
        sys::rd_kafka_AdminOptions_set_request_timeout(
            options.pointer(),
            milliseconds(patience),
            complaint.as_mut_ptr(),
            complaint.len(),
        )
    };
    // SAFETY: all four are valid, and what the client keeps of them it copies or counts.
    unsafe { sys::rd_kafka_DescribeTopics(native, topics.pointer(), options.pointer(), queue.pointer()) };
    // SAFETY: the queue is valid and nobody else polls it; the event, if any, is ours to free. An answer that comes
    // after the queue is gone is freed by the client, which counts who holds the queue.
    unsafe {
        let event = sys::rd_kafka_queue_poll(queue.pointer(), milliseconds(patience.saturating_add(GRACE)));
        Owned::new(event, sys::rd_kafka_event_destroy)
    }
}

fn milliseconds(duration: Duration) -> c_int {
    c_int::try_from(duration.as_millis()).unwrap_or(c_int::MAX)
}

fn read(answer: &Answer) -> Result<Option<Description>, DescribeError> {
    // SAFETY: the event is valid; of an event of another kind it makes null.
    let result = unsafe { sys::rd_kafka_event_DescribeTopics_result(answer.pointer()) };
    if result.is_null() {
        return Err(DescribeError::Unavailable("the client answered something else".to_owned()));
    }
    let mut count = 0;
    // SAFETY: the result is valid as long as its event, which `answer` holds.
    let topics = unsafe { sys::rd_kafka_DescribeTopics_result_topics(result, &raw mut count) };
    if count == 0 || topics.is_null() {
        // A question that failed has no topics but a reason. (The codes of errors are left alone: brokers may send one that
        // the enumeration in Rust does not have.)
        // SAFETY: the event is valid, and its text lives as long.
        let why = unsafe { text(sys::rd_kafka_event_error_string(answer.pointer())) };
        return Err(DescribeError::Unavailable(why.to_string_lossy().into_owned()));
    }
    // SAFETY: there is at least one, and it lives as long as the event.
    let topic = unsafe { *topics };
    // SAFETY: the topic is valid; without an error the pointer is null, of which the name is empty.
    let error = unsafe { sys::rd_kafka_TopicDescription_error(topic) };
    // SAFETY: as above; names of errors are static.
    let error_name = unsafe { text(sys::rd_kafka_error_name(error)) };
    if error_name.to_bytes() == UNKNOWN_TOPIC {
        return Ok(None);
    }
    if !error.is_null() {
        // SAFETY: the error is not null and lives as long as the event.
        let why = unsafe { text(sys::rd_kafka_error_string(error)) };
        return Err(DescribeError::Unavailable(why.to_string_lossy().into_owned()));
    }
    // SAFETY: the topic is valid and has no error, and lives as long as the event.
    let described = unsafe { description(topic) };
    if described.id == 0 {
        return Err(DescribeError::NoIds);
    }
    Ok(Some(described))
}

/// # Safety
/// `pointer` is null or a string of C that lives for `'a`.
unsafe fn text<'a>(pointer: *const c_char) -> &'a CStr {
    if pointer.is_null() {
        return c"";
    }
    // SAFETY: it is not null, so it is a string that lives as long as the caller says.
    unsafe { CStr::from_ptr(pointer) }
}

/// # Safety
/// `topic` is a description without an error, and valid.
unsafe fn description(topic: *const sys::rd_kafka_TopicDescription_t) -> Description {
    // SAFETY: the topic is valid, and its id lives as long.
    let id = unsafe { sys::rd_kafka_TopicDescription_topic_id(topic) };
    let id = if id.is_null() {
        0
    } else {
        // SAFETY: the id is not null and valid.
        let most = unsafe { sys::rd_kafka_Uuid_most_significant_bits(id) };
        // SAFETY: as above.
        let least = unsafe { sys::rd_kafka_Uuid_least_significant_bits(id) };
        u128::from(most.cast_unsigned()) << 64 | u128::from(least.cast_unsigned())
    };
    let mut count = 0;
    // SAFETY: the topic is valid.
    let partitions = unsafe { sys::rd_kafka_TopicDescription_partitions(topic, &raw mut count) };
    let mut replicas = u32::MAX;
    for index in 0..count {
        let mut copies = 0;
        // SAFETY: `partitions` has `count` valid elements.
        let partition = unsafe { *partitions.add(index) };
        // SAFETY: the partition is valid as long as its topic; only how many there are is looked at.
        let nodes = unsafe { sys::rd_kafka_TopicPartitionInfo_replicas(partition, &raw mut copies) };
        let copies = if nodes.is_null() { 0 } else { u32::try_from(copies).unwrap_or(u32::MAX) };
        replicas = replicas.min(copies);
    }
    let partitions = u32::try_from(count).unwrap_or(u32::MAX);
    Description { id, partitions, replicas: if partitions == 0 { 0 } else { replicas } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::config::ClientConfig;
    use rdkafka::producer::{BaseProducer, DefaultProducerContext, Producer};
    use std::ptr;

    #[test]
    fn nobody_is_waited_for_longer_than_is_said() {
        // Port 1 of this machine: nobody listens there.
        let nobody: BaseProducer<DefaultProducerContext> =
            ClientConfig::new().set("bootstrap.servers", "127.0.0.1:1").create().unwrap();
        let asked = describe(nobody.client(), "one", Duration::from_millis(200));
        assert!(matches!(asked, Err(DescribeError::Unavailable(_))), "{asked:?}");
        let asked = describe(nobody.client(), "a\0b", Duration::from_millis(200));
        assert!(matches!(asked, Err(DescribeError::Unavailable(_))), "{asked:?}");
    }

    #[test]
    fn what_is_owned_is_freed_once_and_null_is_nothing() {
        extern "C" fn count(seen: *mut u32) {
            // SAFETY: the test gives the address of a number that lives.
            unsafe { *seen += 1 }
        }
        let mut freed = 0;
        // SAFETY: null, and then a number that outlives its owner.
        assert!(unsafe { Owned::new(ptr::null_mut(), count) }.is_none());
        // SAFETY: as above.
        drop(unsafe { Owned::new(&raw mut freed, count) });
        assert_eq!(freed, 1);
    }
}
