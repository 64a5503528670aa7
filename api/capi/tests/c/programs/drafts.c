/* The draft types, which several threads may use at once. */
#include "check.h"

static void *context;

/* The next message, its peer's id and its group. */
static uint32_t receives_from(void *socket, const char *text, const char *group)
{
    zmq_msg_t msg;
    CHECK(zmq_msg_init(&msg) == 0);
    CHECK(zmq_msg_recv(&msg, socket, 0) == (int) strlen(text));
    CHECK(memcmp(zmq_msg_data(&msg), text, strlen(text)) == 0);
    CHECK(strcmp(zmq_msg_group(&msg), group) == 0);
    uint32_t id = zmq_msg_routing_id(&msg);
    CHECK(zmq_msg_close(&msg) == 0);
    return id;
}

static void sends_to(void *socket, uint32_t id, const char *text)
{
    zmq_msg_t msg;
    CHECK(zmq_msg_init_buffer(&msg, text, strlen(text)) == 0);
    CHECK(zmq_msg_set_routing_id(&msg, id) == 0);
    CHECK(zmq_msg_send(&msg, socket, 0) == (int) strlen(text));
    CHECK(zmq_msg_close(&msg) == 0);
}

static void clients(void)
{
    void *server = zmq_socket(context, ZMQ_SERVER);
    void *client = zmq_socket(context, ZMQ_CLIENT);
    meet(server, client);
    CHECK(get_int(server, ZMQ_THREAD_SAFE) == 1);
    int fd;
    size_t size = sizeof fd;
    FAILS(zmq_getsockopt(server, ZMQ_FD, &fd, &size), EINVAL);
    FAILS(zmq_send(client, "x", 1, ZMQ_SNDMORE), EINVAL);
    SENDS(client, "question", 0);
    uint32_t id = receives_from(server, "question", "");
    CHECK(id != 0);
    sends_to(server, id, "answer");
    receives_from(client, "answer", "");
    FAILS(zmq_disconnect_peer(server, id + 1), EHOSTUNREACH);
    FAILS(zmq_disconnect_peer(client, id), ENOTSUP);
    FAILS(zmq_join(server, "g"), ENOTSUP);
    CHECK(zmq_disconnect_peer(server, id) == 0);
    CHECK(zmq_close(server) == 0);
    CHECK(zmq_close(client) == 0);
}

static void groups(void)
{
    char name[257];
    zmq_msg_t msg;
    void *radio = zmq_socket(context, ZMQ_RADIO);
    void *dish = zmq_socket(context, ZMQ_DISH);
    CHECK(zmq_bind(radio, "inproc://radio") == 0);
    CHECK(zmq_connect(dish, "inproc://radio") == 0);
    CHECK(zmq_join(dish, "news") == 0);
    FAILS(zmq_join(dish, "news"), EINVAL);
    FAILS(zmq_join(dish, NULL), EINVAL);
    FAILS(zmq_leave(dish, "other"), EINVAL);
    CHECK(zmq_msg_init_buffer(&msg, "to nobody", 9) == 0);
    CHECK(zmq_msg_set_group(&msg, "other") == 0);
    CHECK(zmq_msg_send(&msg, radio, 0) == 9);
    CHECK(zmq_msg_init_buffer(&msg, "to all", 6) == 0);
    memset(name, 'g', sizeof name - 1);
    name[256] = 0;
    FAILS(zmq_msg_set_group(&msg, name), EINVAL);
    CHECK(zmq_msg_set_group(&msg, "news") == 0);
    CHECK(strcmp(zmq_msg_group(&msg), "news") == 0);
    CHECK(zmq_msg_send(&msg, radio, 0) == 6);
    receives_from(dish, "to all", "news");
    CHECK(zmq_leave(dish, "news") == 0);
    CHECK(zmq_close(radio) == 0);
    CHECK(zmq_close(dish) == 0);
}

/* Groups over datagrams, and datagrams to an address. */
static void datagrams(void)
{
    char endpoint[256];
    size_t size = sizeof endpoint;
    void *dish = zmq_socket(context, ZMQ_DISH);
    void *radio = zmq_socket(context, ZMQ_RADIO);
    FAILS(zmq_bind(radio, "udp://127.0.0.1:*"), ENOCOMPATPROTO);
    FAILS(zmq_connect(dish, "udp://127.0.0.1:9"), ENOCOMPATPROTO);
    set_int(dish, ZMQ_RCVTIMEO, 10000);
    CHECK(get_int(radio, ZMQ_MULTICAST_HOPS) == 1);
    CHECK(get_int(radio, ZMQ_MULTICAST_LOOP) == 1);
    CHECK(zmq_join(dish, "tv") == 0);
    CHECK(zmq_bind(dish, "udp://127.0.0.1:*") == 0);
    CHECK(zmq_getsockopt(dish, ZMQ_LAST_ENDPOINT, endpoint, &size) == 0);
    CHECK(zmq_connect(radio, endpoint) == 0);
    zmq_msg_t msg;
    CHECK(zmq_msg_init_buffer(&msg, "news", 4) == 0);
    CHECK(zmq_msg_set_group(&msg, "tv") == 0);
    CHECK(zmq_msg_send(&msg, radio, 0) == 4);
    receives_from(dish, "news", "tv");
    CHECK(zmq_close(dish) == 0);
    CHECK(zmq_close(radio) == 0);

    void *one = zmq_socket(context, ZMQ_DGRAM);
    void *other = zmq_socket(context, ZMQ_DGRAM);
    CHECK(get_int(one, ZMQ_THREAD_SAFE) == 0);
    FAILS(zmq_bind(one, "tcp://127.0.0.1:*"), ENOCOMPATPROTO);
    CHECK(zmq_bind(one, "udp://127.0.0.1:*") == 0);
    CHECK(zmq_bind(other, "udp://127.0.0.1:*") == 0);
    size = sizeof endpoint;
    CHECK(zmq_getsockopt(one, ZMQ_LAST_ENDPOINT, endpoint, &size) == 0);
    set_int(one, ZMQ_RCVTIMEO, 10000);
    set_int(other, ZMQ_RCVTIMEO, 10000);
    FAILS(zmq_send(other, "alone", 5, 0), EINVAL);
    SENDS(other, endpoint + strlen("udp://"), ZMQ_SNDMORE);
    FAILS(zmq_send(other, "not last", 8, ZMQ_SNDMORE), EINVAL);
    SENDS(other, "hello", 0);
    /* The address ends with a zero byte, as libzmq's does. */
    char from[64];
    int length = zmq_recv(one, from, sizeof from, 0);
    CHECK(length > 0 && (size_t) length == strlen(from) + 1);
    CHECK(get_int(one, ZMQ_RCVMORE) == 1);
    RECEIVES(one, "hello");
    CHECK(get_int(one, ZMQ_RCVMORE) == 0);
    CHECK(zmq_send(one, from, length, ZMQ_SNDMORE) == length);
    SENDS(one, "hello back", 0);
    CHECK(zmq_recv(other, from, sizeof from, 0) > 0);
    RECEIVES(other, "hello back");
    CHECK(zmq_close(one) == 0);
    CHECK(zmq_close(other) == 0);
}

static void peers(void)
{
    char endpoint[256];
    size_t size = sizeof endpoint;
    void *one = zmq_socket(context, ZMQ_PEER);
    void *other = zmq_socket(context, ZMQ_PEER);
    CHECK(zmq_bind(one, "tcp://127.0.0.1:*") == 0);
    CHECK(zmq_getsockopt(one, ZMQ_LAST_ENDPOINT, endpoint, &size) == 0);
    uint32_t id = zmq_connect_peer(other, endpoint);
    CHECK(id != 0);
    sends_to(other, id, "hello");
    uint32_t back = receives_from(one, "hello", "");
    sends_to(one, back, "hello yourself");
    CHECK(receives_from(other, "hello yourself", "") == id);
    set_int(other, ZMQ_IMMEDIATE, 1);
    errno = 0;
    CHECK(zmq_connect_peer(other, endpoint) == 0 && zmq_errno() == EFAULT);
    CHECK(zmq_close(one) == 0);
    CHECK(zmq_close(other) == 0);
}

#define THREADS 4
#define COUNT 3000

static void *shared;
static int received[THREADS * COUNT];
static void *total;

static void produce(void *first)
{
    for (int i = 0; i < COUNT; i++) {
        int number = *(int *) first + i;
        CHECK(zmq_send(shared, &number, sizeof number, 0) == sizeof number);
    }
}

static void consume(void *socket)
{
    int number;
    while (zmq_recv(socket, &number, sizeof number, 0) == sizeof number && number >= 0) {
        received[number]++;
        zmq_atomic_counter_inc(total);
    }
}

/* Several threads send by one socket and receive by another; nothing is lost and nothing comes twice. */
static void many(void)
{
    void *gather = zmq_socket(context, ZMQ_GATHER);
    void *senders[THREADS], *receivers[THREADS];
    int firsts[THREADS];
    total = zmq_atomic_counter_new();
    shared = zmq_socket(context, ZMQ_SCATTER);
    meet(gather, shared);
    for (int i = 0; i < THREADS; i++) {
        firsts[i] = i * COUNT;
        receivers[i] = zmq_threadstart(consume, gather);
        senders[i] = zmq_threadstart(produce, &firsts[i]);
    }
    for (int i = 0; i < THREADS; i++)
        zmq_threadclose(senders[i]);
    for (int i = 0; i < THREADS; i++) {
        int end = -1;
        CHECK(zmq_send(shared, &end, sizeof end, 0) == sizeof end);
    }
    for (int i = 0; i < THREADS; i++)
        zmq_threadclose(receivers[i]);
    CHECK(zmq_atomic_counter_value(total) == THREADS * COUNT);
    for (int i = 0; i < THREADS * COUNT; i++)
        CHECK(received[i] == 1);
    zmq_atomic_counter_destroy(&total);
    CHECK(zmq_close(gather) == 0);
    CHECK(zmq_close(shared) == 0);
}

static void wait_for_end(void *socket)
{
    char byte;
    FAILS(zmq_recv(socket, &byte, 1, 0), ETERM);
}

/* One thread waits for messages while others poll and send; the end of the context ends all waits. */
static void waiting(void)
{
    void *ending = zmq_ctx_new();
    void *server = zmq_socket(ending, ZMQ_SERVER);
    void *client = zmq_socket(ending, ZMQ_CLIENT);
    void *threads[3];
    meet(server, client);
    SENDS(client, "x", 0);
    uint32_t id = receives_from(server, "x", "");
    for (int i = 0; i < 3; i++)
        threads[i] = zmq_threadstart(wait_for_end, server);
    usleep(10000);
    sends_to(server, id, "while others wait");
    receives_from(client, "while others wait", "");
    zmq_pollitem_t items[] = {{server, 0, ZMQ_POLLOUT, 0}, {client, 0, ZMQ_POLLIN, 0}};
    CHECK(zmq_poll(&items[1], 1, 5) == 0);
    CHECK(zmq_poll(items, 1, 1000) == 1);
    set_int(client, ZMQ_RCVTIMEO, 5);
    char byte;
    FAILS(zmq_recv(client, &byte, 1, 0), EAGAIN);
    CHECK(zmq_ctx_shutdown(ending) == 0);
    for (int i = 0; i < 3; i++)
        zmq_threadclose(threads[i]);
    CHECK(zmq_close(server) == 0);
    CHECK(zmq_close(client) == 0);
    CHECK(zmq_ctx_term(ending) == 0);
}

int main(void)
{
    context = zmq_ctx_new();
    clients();
    groups();
    datagrams();
    peers();
    many();
    CHECK(zmq_ctx_term(context) == 0);
    waiting();
    return 0;
}
