/* Wrong arguments and dead handles are answered with libzmq's numbers, and crash nothing. */
#include "check.h"

#include <sys/uio.h>

static void dead_socket(void *socket)
{
    char buffer[8];
    int value = 0;
    size_t size = sizeof value;
    zmq_msg_t msg;
    FAILS(zmq_close(socket), ENOTSOCK);
    FAILS(zmq_bind(socket, "inproc://x"), ENOTSOCK);
    FAILS(zmq_connect(socket, "inproc://x"), ENOTSOCK);
    FAILS(zmq_unbind(socket, "inproc://x"), ENOTSOCK);
    FAILS(zmq_disconnect(socket, "inproc://x"), ENOTSOCK);
    FAILS(zmq_setsockopt(socket, ZMQ_LINGER, &value, sizeof value), ENOTSOCK);
    FAILS(zmq_getsockopt(socket, ZMQ_LINGER, &value, &size), ENOTSOCK);
    FAILS(zmq_send(socket, "x", 1, 0), ENOTSOCK);
    FAILS(zmq_send_const(socket, "x", 1, 0), ENOTSOCK);
    FAILS(zmq_recv(socket, buffer, sizeof buffer, 0), ENOTSOCK);
    CHECK(zmq_msg_init(&msg) == 0);
    FAILS(zmq_msg_send(&msg, socket, 0), ENOTSOCK);
    FAILS(zmq_msg_recv(&msg, socket, 0), ENOTSOCK);
    FAILS(zmq_sendmsg(socket, &msg, 0), ENOTSOCK);
    FAILS(zmq_recvmsg(socket, &msg, 0), ENOTSOCK);
    CHECK(zmq_msg_close(&msg) == 0);
    struct iovec vector = {buffer, 1};
    size_t count = 1;
    FAILS(zmq_sendiov(socket, &vector, 1, 0), ENOTSOCK);
    FAILS(zmq_recviov(socket, &vector, &count, 0), ENOTSOCK);
    FAILS(zmq_socket_monitor(socket, "inproc://m", ZMQ_EVENT_ALL), ENOTSOCK);
    FAILS(zmq_socket_monitor_versioned(socket, "inproc://m", ZMQ_EVENT_ALL, 2, ZMQ_PAIR), ENOTSOCK);
    FAILS(zmq_socket_monitor_pipes_stats(socket), ENOTSOCK);
    FAILS(zmq_join(socket, "g"), ENOTSOCK);
    FAILS(zmq_leave(socket, "g"), ENOTSOCK);
    FAILS(zmq_disconnect_peer(socket, 1), ENOTSOCK);
    FAILS(zmq_socket_get_peer_state(socket, "x", 1), ENOTSOCK);
    errno = 0;
    CHECK(zmq_connect_peer(socket, "inproc://x") == 0 && zmq_errno() == ENOTSOCK);
    if (socket) {
        zmq_pollitem_t item = {socket, 0, ZMQ_POLLIN, 0};
        FAILS(zmq_poll(&item, 1, 0), ENOTSOCK);
        FAILS(zmq_proxy(socket, socket, NULL), ENOTSOCK);
    }
}

static void dead_context(void *context)
{
    int value;
    size_t size = sizeof value;
    IS_NULL(zmq_socket(context, ZMQ_PAIR), EFAULT);
    FAILS(zmq_ctx_term(context), EFAULT);
    FAILS(zmq_term(context), EFAULT);
    FAILS(zmq_ctx_destroy(context), EFAULT);
    FAILS(zmq_ctx_shutdown(context), EFAULT);
    FAILS(zmq_ctx_set(context, ZMQ_IO_THREADS, 1), EFAULT);
    FAILS(zmq_ctx_get(context, ZMQ_IO_THREADS), EFAULT);
    FAILS(zmq_ctx_set_ext(context, ZMQ_IO_THREADS, "1234", 4), EFAULT);
    FAILS(zmq_ctx_get_ext(context, ZMQ_IO_THREADS, &value, &size), EFAULT);
}

static void dead_poller(void *poller)
{
    zmq_poller_event_t event;
    int fd;
    FAILS(zmq_poller_size(poller), EFAULT);
    FAILS(zmq_poller_add_fd(poller, 0, NULL, ZMQ_POLLIN), EFAULT);
    FAILS(zmq_poller_modify_fd(poller, 0, ZMQ_POLLIN), EFAULT);
    FAILS(zmq_poller_remove_fd(poller, 0), EFAULT);
    FAILS(zmq_poller_add(poller, NULL, NULL, ZMQ_POLLIN), EFAULT);
    FAILS(zmq_poller_wait(poller, &event, 0), EFAULT);
    FAILS(zmq_poller_wait_all(poller, &event, 1, 0), EFAULT);
    FAILS(zmq_poller_fd(poller, &fd), EFAULT);
    FAILS(zmq_poller_destroy(&poller), EFAULT);
}

static void tick(int timer, void *arg)
{
    (void) timer;
    (void) arg;
}

static void dead_timers(void *timers)
{
    FAILS(zmq_timers_add(timers, 1, tick, NULL), EFAULT);
    FAILS(zmq_timers_cancel(timers, 1), EFAULT);
    FAILS(zmq_timers_set_interval(timers, 1, 1), EFAULT);
    FAILS(zmq_timers_reset(timers, 1), EFAULT);
    FAILS(zmq_timers_timeout(timers), EFAULT);
    FAILS(zmq_timers_execute(timers), EFAULT);
    FAILS(zmq_timers_destroy(&timers), EFAULT);
}

static void options(void *context)
{
    void *push = zmq_socket(context, ZMQ_PUSH);
    long long wide = 0;
    int value = 0;
    char text[64];
    size_t size;
    FAILS(zmq_setsockopt(push, 9999, &value, sizeof value), EINVAL);
    FAILS(zmq_setsockopt(push, ZMQ_LINGER, &wide, sizeof wide), EINVAL);
    FAILS(zmq_setsockopt(push, ZMQ_LINGER, &value, 0), EINVAL);
    FAILS(zmq_setsockopt(push, ZMQ_LINGER, NULL, 4), EINVAL);
    value = -2;
    FAILS(zmq_setsockopt(push, ZMQ_SNDHWM, &value, sizeof value), EINVAL);
    value = 1;
    FAILS(zmq_setsockopt(push, ZMQ_ROUTER_MANDATORY, &value, sizeof value), EINVAL);
    FAILS(zmq_setsockopt(push, ZMQ_SUBSCRIBE, "", 0), EINVAL);
    FAILS(zmq_setsockopt(push, ZMQ_TYPE, &value, sizeof value), EINVAL);
    FAILS(zmq_setsockopt(push, ZMQ_ROUTING_ID, "", 0), EINVAL);
    FAILS(zmq_setsockopt(push, ZMQ_CURVE_SERVER, &value, sizeof value), ENOTSUP);
    size = sizeof value;
    FAILS(zmq_getsockopt(push, 9999, &value, &size), EINVAL);
    FAILS(zmq_getsockopt(push, ZMQ_LINGER, &value, NULL), EFAULT);
    FAILS(zmq_getsockopt(push, ZMQ_LINGER, NULL, &size), EFAULT);
    size = 3;
    FAILS(zmq_getsockopt(push, ZMQ_LINGER, &value, &size), EINVAL);
    size = sizeof wide;
    FAILS(zmq_getsockopt(push, ZMQ_LINGER, &wide, &size), EINVAL);
    size = 0;
    FAILS(zmq_getsockopt(push, ZMQ_LAST_ENDPOINT, text, &size), EINVAL);
    /* What is computed may have a longer buffer, whose rest is zeroed. */
    memset(text, 'x', sizeof text);
    size = sizeof text;
    CHECK(zmq_getsockopt(push, ZMQ_LAST_ENDPOINT, text, &size) == 0);
    CHECK(size == 1 && text[0] == 0 && text[63] == 0);
    CHECK(get_int(push, ZMQ_TYPE) == ZMQ_PUSH);
    CHECK(get_int(push, ZMQ_LINGER) == -1);
    CHECK(get_int(push, ZMQ_SNDHWM) == 1000);
    CHECK(get_int(push, ZMQ_RCVHWM) == 1000);
    CHECK(get_int(push, ZMQ_MECHANISM) == ZMQ_NULL);
    size = sizeof value;
    FAILS(zmq_getsockopt(push, ZMQ_TOPICS_COUNT, &value, &size), EINVAL);
    CHECK(get_int(push, ZMQ_HEARTBEAT_IVL) == 0);
    /* Of transports that are not there. */
    CHECK(get_int(push, ZMQ_RATE) == 100);
    set_int(push, ZMQ_RATE, 50);
    CHECK(get_int(push, ZMQ_RATE) == 50);
    set_int(push, ZMQ_MULTICAST_MAXTPDU, 1000);
    CHECK(get_int(push, ZMQ_MULTICAST_MAXTPDU) == 1000);
    value = 0;
    FAILS(zmq_setsockopt(push, ZMQ_RATE, &value, sizeof value), EINVAL);
    size = sizeof wide;
    FAILS(zmq_getsockopt(push, ZMQ_RATE, &wide, &size), EINVAL);
    CHECK(zmq_close(push) == 0);
}

static void endpoints(void *context)
{
    void *push = zmq_socket(context, ZMQ_PUSH);
    void *other = zmq_socket(context, ZMQ_PUSH);
    FAILS(zmq_bind(push, NULL), EINVAL);
    FAILS(zmq_bind(push, ""), EINVAL);
    FAILS(zmq_bind(push, "tcp"), EINVAL);
    FAILS(zmq_bind(push, "tcp://"), EINVAL);
    FAILS(zmq_bind(push, "\xff://x"), EINVAL);
    FAILS(zmq_bind(push, "nothing://x"), EPROTONOSUPPORT);
    FAILS(zmq_bind(push, "tcp://nosuchinterface0:1"), ENODEV);
    FAILS(zmq_connect(push, "tcp://127.0.0.1"), EINVAL);
    FAILS(zmq_unbind(push, "tcp://127.0.0.1:1"), ENOENT);
    FAILS(zmq_disconnect(push, "inproc://nobody"), ENOENT);
    CHECK(zmq_bind(push, "inproc://taken") == 0);
    FAILS(zmq_bind(other, "inproc://taken"), EADDRINUSE);
    CHECK(zmq_unbind(push, "inproc://taken") == 0);
    CHECK(zmq_bind(other, "inproc://taken") == 0);
    CHECK(zmq_close(push) == 0);
    CHECK(zmq_close(other) == 0);
    /* A context without threads has inproc only. */
    void *local = zmq_ctx_new();
    CHECK(zmq_ctx_set(local, ZMQ_IO_THREADS, 0) == 0);
    push = zmq_socket(local, ZMQ_PUSH);
    FAILS(zmq_connect(push, "tcp://127.0.0.1:5555"), EMTHREAD);
    CHECK(zmq_bind(push, "inproc://local") == 0);
    CHECK(zmq_close(push) == 0);
    CHECK(zmq_ctx_term(local) == 0);
}

static void context_options(void)
{
    IS_NULL(zmq_init(-1), EINVAL);
    void *context = zmq_ctx_new();
    FAILS(zmq_ctx_set(context, ZMQ_IO_THREADS, -1), EINVAL);
    FAILS(zmq_ctx_set(context, ZMQ_MAX_SOCKETS, 0), EINVAL);
    FAILS(zmq_ctx_set(context, ZMQ_MAX_SOCKETS, 65536), EINVAL);
    FAILS(zmq_ctx_set(context, ZMQ_MAX_MSGSZ, -1), EINVAL);
    FAILS(zmq_ctx_set(context, ZMQ_MSG_T_SIZE, 64), EINVAL);
    FAILS(zmq_ctx_set(context, ZMQ_THREAD_PRIORITY, -1), EINVAL);
    FAILS(zmq_ctx_set(context, ZMQ_THREAD_SCHED_POLICY, -1), EINVAL);
    FAILS(zmq_ctx_set(context, ZMQ_THREAD_AFFINITY_CPU_ADD, -1), EINVAL);
    FAILS(zmq_ctx_set(context, ZMQ_THREAD_AFFINITY_CPU_REMOVE, 0), EINVAL);
    FAILS(zmq_ctx_set(context, ZMQ_ZERO_COPY_RECV, -1), EINVAL);
    FAILS(zmq_ctx_set_ext(context, ZMQ_THREAD_NAME_PREFIX, "seventeen letters", 17), EINVAL);
    FAILS(zmq_ctx_set_ext(context, ZMQ_THREAD_NAME_PREFIX, "", 0), EINVAL);
    FAILS(zmq_ctx_set_ext(context, ZMQ_IO_THREADS, "12345", 5), EINVAL);
    FAILS(zmq_ctx_get(context, ZMQ_THREAD_AFFINITY_CPU_ADD), EINVAL);
    FAILS(zmq_ctx_set(context, 9999, 0), EINVAL);
    FAILS(zmq_ctx_get(context, 9999), EINVAL);
    CHECK(zmq_ctx_get(context, ZMQ_IO_THREADS) == ZMQ_IO_THREADS_DFLT);
    CHECK(zmq_ctx_get(context, ZMQ_MAX_SOCKETS) == ZMQ_MAX_SOCKETS_DFLT);
    CHECK(zmq_ctx_get(context, ZMQ_SOCKET_LIMIT) == 65535);
    CHECK(zmq_ctx_get(context, ZMQ_MSG_T_SIZE) == sizeof(zmq_msg_t));
    CHECK(zmq_ctx_get(context, ZMQ_BLOCKY) == 1);
    CHECK(zmq_ctx_set(context, ZMQ_MAX_SOCKETS, 1) == 0);
    CHECK(zmq_ctx_set(context, ZMQ_BLOCKY, 0) == 0);
    CHECK(zmq_ctx_set(context, ZMQ_IPV6, 1) == 0);
    IS_NULL(zmq_socket(context, 9999), EINVAL);
    IS_NULL(zmq_socket(context, -1), EINVAL);
    void *pair = zmq_socket(context, ZMQ_PAIR);
    CHECK(get_int(pair, ZMQ_LINGER) == 0);
    CHECK(get_int(pair, ZMQ_IPV6) == 1);
    IS_NULL(zmq_socket(context, ZMQ_PAIR), EMFILE);
    CHECK(zmq_close(pair) == 0);
    pair = zmq_socket(context, ZMQ_PAIR);
    CHECK(pair);
    CHECK(zmq_close(pair) == 0);
    CHECK(zmq_ctx_set(context, ZMQ_MAX_MSGSZ, 10) == 0);
    pair = zmq_socket(context, ZMQ_PAIR);
    FAILS(zmq_send(pair, "eleven bytes", 11, ZMQ_DONTWAIT), EMSGSIZE);
    CHECK(zmq_close(pair) == 0);
    CHECK(zmq_ctx_term(context) == 0);
}

static void null_messages(void)
{
    FAILS(zmq_msg_init(NULL), EFAULT);
    FAILS(zmq_msg_init_size(NULL, 1), EFAULT);
    FAILS(zmq_msg_init_buffer(NULL, "x", 1), EFAULT);
    FAILS(zmq_msg_init_data(NULL, NULL, 0, NULL, NULL), EFAULT);
    FAILS(zmq_msg_close(NULL), EFAULT);
    zmq_msg_t msg, closed;
    CHECK(zmq_msg_init(&msg) == 0);
    CHECK(zmq_msg_init(&closed) == 0);
    CHECK(zmq_msg_close(&closed) == 0);
    FAILS(zmq_msg_copy(&msg, NULL), EFAULT);
    FAILS(zmq_msg_copy(NULL, &msg), EFAULT);
    FAILS(zmq_msg_move(&msg, &closed), EFAULT);
    FAILS(zmq_msg_move(&closed, &msg), EFAULT);
    FAILS(zmq_msg_get(&closed, ZMQ_MORE), EFAULT);
    IS_NULL(zmq_msg_data(&closed), EFAULT);
    CHECK(zmq_msg_size(&closed) == 0);
    CHECK(zmq_msg_close(&msg) == 0);
}

int main(void)
{
    void *context = zmq_ctx_new();
    void *socket = zmq_socket(context, ZMQ_PAIR);
    void *poller = zmq_poller_new();
    void *timers = zmq_timers_new();
    void *handles[] = {context, socket, poller, timers};
    CHECK(zmq_close(socket) == 0);
    CHECK(zmq_ctx_term(context) == 0);
    CHECK(zmq_poller_destroy(&poller) == 0 && poller == NULL);
    CHECK(zmq_timers_destroy(&timers) == 0 && timers == NULL);
    /* Dead handles, handles of another kind, addresses of anything, and nonsense. */
    void *wrong[] = {NULL, handles[0], handles[1], handles[2], handles[3], &context, main, (void *) 1,
        (char *) handles[1] + 1, (char *) handles[1] + 64, (void *) -1};
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        dead_socket(wrong[i]);
        dead_context(wrong[i]);
        dead_poller(wrong[i]);
        dead_timers(wrong[i]);
    }
    FAILS(zmq_poller_destroy(NULL), EFAULT);
    FAILS(zmq_timers_destroy(NULL), EFAULT);
    FAILS(zmq_poll(NULL, 1, 0), EFAULT);
    FAILS(zmq_poll(NULL, -1, 0), EINVAL);
    FAILS(zmq_proxy(NULL, NULL, NULL), EFAULT);
    context = zmq_ctx_new();
    options(context);
    endpoints(context);
    CHECK(zmq_ctx_term(context) == 0);
    context_options();
    null_messages();
    return 0;
}
