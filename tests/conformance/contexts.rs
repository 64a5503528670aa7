//! The options of contexts, by what they do.

use std::{fs, io};

use ringmq::{Context, Error, Message, Pinning, Pull, Push, Scheduling};

use crate::{Transport, join, receiver, sender};

/// What the kernel says of the thread whose name begins with `name`.
fn thread(name: &str, about: &str) -> Option<String> {
    for task in fs::read_dir("/proc/self/task").unwrap() {
        let folder = task.unwrap().path();
        // Threads come and go.
        let comm = fs::read_to_string(folder.join("comm")).unwrap_or_default();
        if comm.starts_with(name) {
            return fs::read_to_string(folder.join(about)).ok();
        }
    }
    None
}

/// A socket that needs a worker.
fn with_worker(context: &Context) -> Result<Pull, Error> {
    let pull: Pull = receiver(context);
    pull.bind("tcp://127.0.0.1:*")?;
    Ok(pull)
}

#[test]
fn workers_have_the_name_and_the_cores_that_they_are_given() {
    let allowed = |name: &str| {
        let status = thread(name, "status").expect("the worker runs");
        let line = status.lines().find(|line| line.starts_with("Cpus_allowed_list:"));
        line.unwrap().split_whitespace().nth(1).unwrap().to_owned()
    };
    for (name, pinning) in [
        ("one-core", Pinning::Cores(vec![0])),
        ("core-set", Pinning::Within(vec![0])),
    ] {
        let context = Context::builder()
            .thread_name_prefix(name)
            .pinning(pinning)
            .build();
        assert!(thread(name, "comm").is_none(), "nothing is started yet");
        let _pull = with_worker(&context).unwrap();
        assert_eq!(allowed(name), "0");
    }
    let nowhere = Context::builder().pinning(Pinning::Within(vec![100_000])).build();
    assert!(matches!(with_worker(&nowhere), Err(Error::Io(_))));
}

#[test]
fn workers_are_scheduled_as_they_are_told() {
    let policy = |name: &str| {
        let stat = thread(name, "stat").expect("the worker runs");
        // The fields behind the name, which stands in brackets; the policy is the 41st of all.
        let fields = stat.rsplit_once(')').unwrap().1.split_whitespace();
        fields.map(str::to_owned).nth(38).unwrap()
    };
    let scheduled = |name: &str, policy: i32, priority: Option<i32>| {
        let scheduling = Scheduling {
            policy: Some(policy),
            priority,
        };
        let builder = Context::builder().thread_name_prefix(name);
        builder.scheduling(scheduling).build()
    };
    let batch = scheduled("batch", 3, None);
    let _pull = with_worker(&batch).unwrap();
    assert_eq!(policy("batch"), "3");
    let real_time = scheduled("round-robin", 2, Some(5));
    match with_worker(&real_time) {
        Ok(_pull) => assert_eq!(policy("round-robin"), "2"),
        Err(Error::Io(error)) => assert_eq!(error.kind(), io::ErrorKind::PermissionDenied),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn messages_beyond_the_limit_are_refused() {
    let context = Context::builder().send_len_max(100_000).build();
    for transport in [Transport::Tcp, Transport::Inproc] {
        let (pull, push): (Pull, Push) = (receiver(&context), sender(&context));
        join(transport, &pull, &push);
        for len in [100_001, 1 << 20] {
            let refused = push.send(vec![1; len]).unwrap_err();
            assert!(matches!(refused.error, Error::MessageTooLong { max: 100_000 }));
            assert_eq!(refused.message.len(), len);
            let refused = push.send(&vec![1; len][..]).unwrap_err();
            assert!(matches!(refused.error, Error::MessageTooLong { .. }));
        }
        push.send(vec![1; 100_000]).unwrap();
        assert_eq!(pull.recv().unwrap().len(), 100_000);
    }
}

#[test]
fn without_zero_copy_each_message_has_memory_of_its_own() {
    for zero_copy in [true, false] {
        let context = Context::builder().zero_copy_receive(zero_copy).build();
        let (pull, push): (Pull, Push) = (receiver(&context), sender(&context));
        join(Transport::Tcp, &pull, &push);
        let mut shared = 0;
        for _ in 0..100 {
            push.send_multipart([vec![1; 20_000], vec![2; 20_000]]).unwrap();
            let parts = pull.recv_multipart().unwrap();
            shared += parts.iter().filter(|part| Message::is_shared(part)).count();
        }
        assert_eq!(shared > 0, zero_copy, "{shared}");
    }
}
