//! REQ, REP and DEALER (RFC 28).

use ringmq::{Context, Dealer, Error, Message, Rep, Req, Router};

use crate::{TRANSPORTS, assert_silent, eventually, join, socket, texts};

#[test]
fn questions_and_answers_take_turns() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (req, rep): (Req, Rep) = (socket(&context), socket(&context));
        join(transport, &rep, &req);
        assert!(matches!(req.try_recv(), Err(Error::State)));
        assert!(matches!(rep.try_send("").unwrap_err().error, Error::State));
        for round in 0..3 {
            req.send_multipart([format!("question {round}"), "more".to_owned()])
                .unwrap();
            assert!(matches!(
                req.try_send("too soon").unwrap_err().error,
                Error::State
            ));
            assert_eq!(texts(&rep), [format!("question {round}"), "more".to_owned()]);
            assert!(matches!(rep.try_recv(), Err(Error::State)));
            rep.send_multipart(["answer", "and more"]).unwrap();
            assert_eq!(texts(&req), ["answer", "and more"]);
        }
    }
}

#[test]
fn questions_go_round() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let req: Req = socket(&context);
        req.bind(&transport.endpoint()).unwrap();
        let reps: [Rep; 2] = std::array::from_fn(|_| socket(&context));
        for rep in &reps {
            rep.connect(&req.last_endpoint()).unwrap();
        }
        eventually("two peers", || req.peer_count() == 2);
        for round in 0..4 {
            req.send(format!("{round}")).unwrap();
            let mut answered = 0;
            eventually("one of them has it", || {
                for rep in &reps {
                    if rep.try_recv().is_ok() {
                        rep.send("yes").unwrap();
                        answered += 1;
                    }
                }
                answered == 1
            });
            assert_eq!(texts(&req), ["yes"]);
        }
    }
}

#[test]
fn a_relaxed_asker_takes_only_the_answer_to_its_last_question() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (req, router): (Req, Router) = (socket(&context), socket(&context));
        req.set_req_relaxed(true);
        req.set_req_correlate(true);
        join(transport, &router, &req);
        req.send("first").unwrap();
        let first = router.recv_multipart().unwrap();
        assert_eq!(first.len(), 4, "routing id, request id, delimiter, body");
        req.send("second").unwrap();
        let second = router.recv_multipart().unwrap();
        assert_ne!(first[1], second[1]);
        for (question, answer) in [(&first, "late"), (&second, "in time")] {
            let head = question.iter().take(3).cloned();
            router
                .send_multipart(head.chain([Message::from(answer)]))
                .unwrap();
        }
        assert_eq!(texts(&req), ["in time"]);
    }
}

#[test]
fn an_envelope_comes_back_with_the_answer() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (dealer, rep): (Dealer, Rep) = (socket(&context), socket(&context));
        join(transport, &rep, &dealer);
        dealer.send_multipart(["no delimiter"]).unwrap();
        dealer.send_multipart(["hop 2", "hop 1", "", "question"]).unwrap();
        assert_eq!(texts(&rep), ["question"]);
        rep.send("answer").unwrap();
        assert_eq!(texts(&dealer), ["hop 2", "hop 1", "", "answer"]);
    }
}

#[test]
fn stray_answers_are_thrown_away() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (req, router): (Req, Router) = (socket(&context), socket(&context));
        join(transport, &router, &req);
        req.send("question").unwrap();
        let question = router.recv_multipart().unwrap();
        let id = question[0].clone();
        router
            .send_multipart([id.clone(), "\0\0\0\u{1}".into(), "".into(), "numbered".into()])
            .unwrap();
        router
            .send_multipart([id.clone(), "".into(), "answer".into()])
            .unwrap();
        router.send_multipart([id, "".into(), "unasked".into()]).unwrap();
        // Three in a row may go together, when the ROUTER waits; all are to lie there before the next question.
        assert_silent(&router);
        assert_eq!(texts(&req), ["answer"]);
        req.send("next").unwrap();
        assert_silent(&req);
    }
}

#[test]
fn the_answer_to_a_peer_that_is_gone_is_dropped() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let rep: Rep = socket(&context);
        rep.bind(&transport.endpoint()).unwrap();
        let gone: Req = socket(&context);
        gone.connect(&rep.last_endpoint()).unwrap();
        gone.send("and away").unwrap();
        assert_eq!(texts(&rep), ["and away"]);
        drop(gone);
        eventually("nobody is left", || rep.peer_count() == 0);
        rep.send("into the void").unwrap();
        let next: Req = socket(&context);
        next.connect(&rep.last_endpoint()).unwrap();
        next.send("next").unwrap();
        assert_eq!(texts(&rep), ["next"]);
    }
}

#[test]
fn rfc28_a_reply_without_a_delimiter_ends_its_connection() {
    for transport in TRANSPORTS {
        let context = Context::new();
        let (router, req): (Router, Req) = (socket(&context), socket(&context));
        join(transport, &router, &req);
        req.send("question").unwrap();
        let request = router.recv_multipart().unwrap();
        router
            .send_multipart([request[0].clone(), "no delimiter".into(), "and so on".into()])
            .unwrap();
        if transport == crate::Transport::Inproc {
            // Within the process it is only ignored.
            router
                .send_multipart([request[0].clone(), Message::new(), "answer".into()])
                .unwrap();
            assert_eq!(texts(&req), ["answer"]);
            continue;
        }
        assert_silent(&req);
        eventually("it is disconnected", || router.peer_count() == 0);
    }
}
