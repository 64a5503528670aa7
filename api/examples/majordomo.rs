//! Majordomo: a broker between clients, who name a service, and workers, who register for one. A worker says when it is
//! ready for more, so that nobody waits for a busy one; a client whose worker is lost asks again.

use std::{
    collections::{HashMap, VecDeque},
    thread,
    time::Duration,
};

use ringmq::{Context, Dealer, Error, Message, Multipart, Req, Router};

const READY: &str = "ready";
const REPLY: &str = "reply";
const QUESTIONS: usize = 6;

/// A service: workers with time, and requests that wait for one.
#[derive(Default)]
struct Service {
    workers: VecDeque<Message>,
    requests: VecDeque<(Message, Message)>,
}

struct Broker {
    clients: Router,
    workers: Router,
    services: HashMap<Vec<u8>, Service>,
}

impl Broker {
    /// From a client: `[client, empty, service, request]`.
    fn ask(&mut self, parts: &Multipart) -> Result<(), Error> {
        let service = self.services.entry(parts[2].to_vec()).or_default();
        service.requests.push_back((parts[0].clone(), parts[3].clone()));
        Self::match_up(service, &self.workers)
    }

    /// From a worker: `[worker, service, "ready"]` or `[worker, service, "reply", client, reply]`.
    fn hear(&mut self, parts: &Multipart) -> Result<(), Error> {
        if parts[2] == REPLY {
            let (client, reply) = (parts[3].clone(), parts[4].clone());
            self.clients.send_multipart([client, Message::new(), reply])?;
        }
        let service = self.services.entry(parts[1].to_vec()).or_default();
        service.workers.push_back(parts[0].clone());
        Self::match_up(service, &self.workers)
    }

    fn match_up(service: &mut Service, workers: &Router) -> Result<(), Error> {
        while !service.requests.is_empty() {
            let Some(worker) = service.workers.pop_front() else {
                return Ok(());
            };
            let Some((client, request)) = service.requests.pop_front() else {
                return Ok(());
            };
            // A worker that is gone is unreachable, and the next one gets the request.
            match workers.send_multipart([worker, client.clone(), request.clone()]) {
                Err(failed) if matches!(failed.error, Error::HostUnreachable) => {
                    service.requests.push_front((client, request));
                }
                sent => sent?,
            }
        }
        Ok(())
    }
}

fn work(context: &Context, endpoint: &str, service: &str) -> Result<(), Error> {
    let broker = Dealer::new(context)?;
    broker.connect(endpoint)?;
    broker.send_multipart([service, READY])?;
    loop {
        let task = match broker.recv_multipart() {
            Err(Error::Terminated) => return Ok(()),
            task => task?,
        };
        let reply = match service {
            "upper" => String::from_utf8_lossy(&task[1]).to_uppercase(),
            _ => String::from_utf8_lossy(&task[1]).chars().rev().collect(),
        };
        let parts: [Message; 4] = [service.into(), REPLY.into(), task[0].clone(), reply.into()];
        broker.send_multipart(parts)?;
    }
}

fn main() -> Result<(), Error> {
    let context = Context::new();
    let (clients, workers) = (Router::new(&context)?, Router::new(&context)?);
    workers.set_router_mandatory(true);
    clients.bind("tcp://127.0.0.1:*")?;
    workers.bind("tcp://127.0.0.1:*")?;
    let (front, back) = (clients.last_endpoint(), workers.last_endpoint());

    thread::scope(|scope| {
        for service in ["upper", "reverse", "upper"] {
            let (context, back) = (&context, &back);
            scope.spawn(move || work(context, back, service));
        }
        let client = scope.spawn(|| -> Result<(), Error> {
            let client = Req::new(&context)?;
            client.connect(&front)?;
            for number in 0..QUESTIONS {
                let service = ["upper", "reverse"][number % 2];
                client.send_multipart([service.to_owned(), format!("question {number}")])?;
                println!("{service}: {}", String::from_utf8_lossy(&client.recv()?));
            }
            Ok(())
        });

        let mut broker = Broker {
            clients,
            workers,
            services: HashMap::new(),
        };
        while !client.is_finished() {
            let mut idle = true;
            while let Ok(parts) = broker.clients.try_recv_multipart() {
                broker.ask(&parts)?;
                idle = false;
            }
            while let Ok(parts) = broker.workers.try_recv_multipart() {
                broker.hear(&parts)?;
                idle = false;
            }
            if idle {
                let mut poller = ringmq::Poller::new();
                poller.add(&broker.clients, ringmq::Interest::Readable);
                poller.add(&broker.workers, ringmq::Interest::Readable);
                poller.wait(Some(Duration::from_millis(20)))?;
            }
        }
        client.join().expect("the client does not panic")?;
        // The workers wait for more; this ends their waits.
        context.shutdown();
        Ok(())
    })
}
