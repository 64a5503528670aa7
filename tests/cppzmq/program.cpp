// cppzmq's classes, as a program uses them that was written for libzmq. Prints what it sees, so that two libraries can be
// compared.
#define ZMQ_BUILD_DRAFT_API
#include <zmq.hpp>
#include <zmq_addon.hpp>

#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            std::cerr << __LINE__ << ": " #condition "\n";                                                   \
            std::abort();                                                                                    \
        }                                                                                                    \
    } while (0)

using namespace std::chrono_literals;

static std::string bound(zmq::socket_t &socket, const char *endpoint)
{
    socket.bind(endpoint);
    return socket.get(zmq::sockopt::last_endpoint);
}

static void multipart(zmq::context_t &context, const char *endpoint)
{
    zmq::socket_t router(context, zmq::socket_type::router), dealer(context, zmq::socket_type::dealer);
    dealer.set(zmq::sockopt::routing_id, "me");
    dealer.connect(bound(router, endpoint));
    zmq::multipart_t question;
    question.addstr("one");
    question.addtyp<int>(2);
    question.addmem("three", 5);
    CHECK(question.send(dealer));
    zmq::multipart_t got(router);
    std::cout << "parts " << got.size() << ' ' << got.peekstr(0) << ' ' << got.peekstr(1) << '\n';
    zmq::message_t id = got.pop();
    if (std::string(endpoint).rfind("inproc", 0) != 0)
        std::cout << id.gets("Socket-Type") << ' ' << id.gets("Identity") << '\n';
    CHECK(id.to_string() == "me" && got.popstr() == "one" && got.poptyp<int>() == 2);
    std::vector<zmq::const_buffer> answer = {zmq::str_buffer("me"), zmq::str_buffer("answer")};
    CHECK(zmq::send_multipart(router, answer));
    std::vector<zmq::message_t> received;
    CHECK(zmq::recv_multipart(dealer, std::back_inserter(received)) == 1u);
    std::cout << received[0].to_string() << '\n';
}

static void options(zmq::context_t &context)
{
    zmq::socket_t sub(context, zmq::socket_type::sub);
    std::cout << sub.get(zmq::sockopt::linger) << ' ' << sub.get(zmq::sockopt::rcvhwm) << ' '
              << sub.get(zmq::sockopt::type) << ' ' << sub.get(zmq::sockopt::reconnect_ivl) << ' '
              << sub.get(zmq::sockopt::immediate) << ' ' << sub.get(zmq::sockopt::maxmsgsize) << '\n';
    sub.set(zmq::sockopt::rcvtimeo, 1);
    sub.set(zmq::sockopt::subscribe, "topic");
    zmq::message_t none;
    CHECK(!sub.recv(none));
    try {
        sub.set(zmq::sockopt::rcvhwm, -1);
        CHECK(false);
    } catch (const zmq::error_t &error) {
        std::cout << error.num() << ' ' << error.what() << '\n';
    }
    try {
        sub.bind("nothing://here");
        CHECK(false);
    } catch (const zmq::error_t &error) {
        std::cout << error.num() << ' ' << error.what() << '\n';
    }
}

static void messages()
{
    zmq::message_t empty, text(std::string("hello")), sized(1000);
    CHECK(empty.empty() && text.to_string_view() == "hello" && sized.size() == 1000);
    zmq::message_t copy;
    copy.copy(text);
    CHECK(copy == text);
    int freed = 0;
    {
        auto release = [](void *data, void *count) { delete[] static_cast<char *>(data); ++*static_cast<int *>(count); };
        zmq::message_t adopted(new char[100], 100, release, &freed);
        zmq::message_t moved(std::move(adopted));
        CHECK(moved.size() == 100 && adopted.size() == 0);
    }
    CHECK(freed == 1);
    std::cout << text.str() << '\n';
}

class Monitor : public zmq::monitor_t {
  public:
    int listening = 0, accepted = 0, shaken = 0;
    void on_event_listening(const zmq_event_t &, const char *) override { ++listening; }
    void on_event_accepted(const zmq_event_t &, const char *) override { ++accepted; }
    void on_event_handshake_succeeded(const zmq_event_t &, const char *) override { ++shaken; }
};

static void monitored(zmq::context_t &context)
{
    zmq::socket_t pull(context, zmq::socket_type::pull), push(context, zmq::socket_type::push);
    Monitor monitor;
    monitor.init(pull, "inproc://monitor");
    push.connect(bound(pull, "tcp://127.0.0.1:*"));
    while (!monitor.shaken)
        CHECK(monitor.check_event(10000));
    std::cout << monitor.listening << monitor.accepted << monitor.shaken << '\n';
}

static void polled(zmq::context_t &context)
{
    zmq::socket_t pull(context, zmq::socket_type::pull), push(context, zmq::socket_type::push);
    push.connect(bound(pull, "inproc://polled"));
    zmq::poller_t<int> poller;
    int tag = 7;
    poller.add(pull, zmq::event_flags::pollin, &tag);
    std::vector<zmq::poller_event<int>> events(2);
    CHECK(poller.wait_all(events, 0ms) == 0);
    push.send(zmq::str_buffer("x"));
    CHECK(poller.wait_all(events, 10s) == 1 && *events[0].user_data == 7);
    zmq::active_poller_t active;
    int called = 0;
    active.add(pull, zmq::event_flags::pollin, [&](zmq::event_flags) {
        zmq::message_t message;
        CHECK(pull.recv(message));
        ++called;
    });
    CHECK(active.wait(10s) == 1 && called == 1);
    std::vector<zmq::pollitem_t> items = {{pull, 0, ZMQ_POLLIN, 0}};
    CHECK(zmq::poll(items, 0ms) == 0);
    std::cout << "polled\n";
}

static void drafts(zmq::context_t &context)
{
    zmq::socket_t server(context, zmq::socket_type::server), client(context, zmq::socket_type::client);
    client.connect(bound(server, "tcp://127.0.0.1:*"));
    client.send(zmq::str_buffer("question"));
    zmq::message_t message;
    CHECK(server.recv(message) && message.routing_id() != 0);
    std::cout << message.str() << '\n';
    CHECK(server.send(message, zmq::send_flags::none));
    CHECK(client.recv(message) && message.to_string() == "question");
    zmq::socket_t radio(context, zmq::socket_type::radio), dish(context, zmq::socket_type::dish);
    dish.join("group");
    dish.set(zmq::sockopt::rcvtimeo, 50);
    dish.connect(bound(radio, "inproc://radio"));
    zmq::message_t news;
    do {
        zmq::message_t sent(std::string("news"));
        sent.set_group("group");
        radio.send(sent, zmq::send_flags::none);
    } while (!dish.recv(news));
    std::cout << news.group() << ' ' << news.to_string() << '\n';
}

static void proxied(zmq::context_t &context)
{
    zmq::socket_t front(context, zmq::socket_type::router), back(context, zmq::socket_type::dealer);
    zmq::socket_t control(context, zmq::socket_type::pair), commands(context, zmq::socket_type::pair);
    zmq::socket_t worker(context, zmq::socket_type::rep), client(context, zmq::socket_type::req);
    client.connect(bound(front, "inproc://front"));
    worker.connect(bound(back, "inproc://back"));
    commands.connect(bound(control, "inproc://control"));
    std::thread proxy([&] { zmq::proxy_steerable(front, back, zmq::socket_ref(), control); });
    client.send(zmq::str_buffer("question"));
    zmq::message_t message;
    CHECK(worker.recv(message));
    worker.send(message, zmq::send_flags::none);
    CHECK(client.recv(message) && message.to_string() == "question");
    commands.send(zmq::str_buffer("TERMINATE"));
    proxy.join();
    std::cout << "proxied\n";
}

int main()
{
    zmq::context_t context(1);
    context.set(zmq::ctxopt::max_sockets, 100);
    std::cout << context.get(zmq::ctxopt::max_sockets) << ' ' << context.get(zmq::ctxopt::io_threads) << '\n';
    for (const char *endpoint : {"tcp://127.0.0.1:*", "ipc://*", "inproc://multipart"})
        multipart(context, endpoint);
    options(context);
    messages();
    monitored(context);
    polled(context);
    drafts(context);
    proxied(context);
    context.shutdown();
    try {
        zmq::socket_t late(context, zmq::socket_type::pair);
        CHECK(false);
    } catch (const zmq::error_t &error) {
        CHECK(error.num() == ETERM);
    }
    std::cout << "done\n";
}
