/* What libzmq has beside sockets: versions, texts, keys, counters, timers, stopwatches, threads. */
#include "check.h"

static void *timers;
static int ticks[4];

static void tick(int timer, void *arg)
{
    CHECK(arg == &ticks[timer]);
    ticks[timer]++;
    /* The second one ends the third, and itself. */
    if (timer == 2) {
        CHECK(zmq_timers_cancel(timers, 3) == 0);
        CHECK(zmq_timers_cancel(timers, 2) == 0);
    }
}

static void timing(void)
{
    timers = zmq_timers_new();
    CHECK(zmq_timers_timeout(timers) == -1);
    FAILS(zmq_timers_add(timers, 1, NULL, NULL), EFAULT);
    for (int i = 1; i <= 3; i++)
        CHECK(zmq_timers_add(timers, 20 + i, tick, &ticks[i]) == i);
    CHECK(zmq_timers_execute(timers) == 0);
    CHECK(ticks[1] + ticks[2] + ticks[3] == 0);
    long left = zmq_timers_timeout(timers);
    CHECK(left > 0 && left <= 21);
    usleep(60000);
    CHECK(zmq_timers_timeout(timers) == 0);
    CHECK(zmq_timers_execute(timers) == 0);
    CHECK(ticks[1] == 1 && ticks[2] == 1 && ticks[3] == 0);
    FAILS(zmq_timers_cancel(timers, 3), EINVAL);
    FAILS(zmq_timers_reset(timers, 2), EINVAL);
    FAILS(zmq_timers_set_interval(timers, 7, 1), EINVAL);
    CHECK(zmq_timers_set_interval(timers, 1, 1000000) == 0);
    CHECK(zmq_timers_reset(timers, 1) == 0);
    CHECK(zmq_timers_timeout(timers) > 900000);
    CHECK(zmq_timers_destroy(&timers) == 0);
}

static void set(void *flag)
{
    *(int *) flag = 1;
}

int main(void)
{
    int major = 0, minor = 0, patch = 0, flag = 0;
    zmq_version(&major, &minor, &patch);
    CHECK(ZMQ_MAKE_VERSION(major, minor, patch) == ZMQ_VERSION);
    CHECK(ZMQ_VERSION == 40306);
    zmq_version(NULL, NULL, NULL);
    CHECK(zmq_has("draft") == 1 && zmq_has("ipc") == 1 && zmq_has("WS") == 1 && zmq_has("WSS") == 1);
    CHECK(zmq_has("curve") == 0 && zmq_has("") == 0 && zmq_has(NULL) == 0);
    CHECK(strcmp(zmq_strerror(EFSM), "Operation cannot be accomplished in current state") == 0);
    CHECK(strcmp(zmq_strerror(ETERM), "Context was terminated") == 0);
    CHECK(strcmp(zmq_strerror(EAGAIN), strerror(EAGAIN)) == 0);

    static const uint8_t binary[8] = {0x86, 0x4f, 0xd2, 0x6f, 0xb5, 0x59, 0xf7, 0x5b};
    char text[11];
    uint8_t back[8];
    CHECK(zmq_z85_encode(text, binary, 8) == text && strcmp(text, "HelloWorld") == 0);
    CHECK(zmq_z85_decode(back, text) == back && memcmp(back, binary, 8) == 0);
    IS_NULL(zmq_z85_encode(text, binary, 7), EINVAL);
    IS_NULL(zmq_z85_decode(back, "Hello Worl"), EINVAL);
    IS_NULL(zmq_z85_decode(back, "Hell"), EINVAL);
    char key[41], secret[41];
    FAILS(zmq_curve_keypair(key, secret), ENOTSUP);
    FAILS(zmq_curve_public(key, secret), ENOTSUP);

    void *counter = zmq_atomic_counter_new();
    CHECK(zmq_atomic_counter_inc(counter) == 0 && zmq_atomic_counter_inc(counter) == 1);
    CHECK(zmq_atomic_counter_value(counter) == 2);
    CHECK(zmq_atomic_counter_dec(counter) == 1 && zmq_atomic_counter_dec(counter) == 0);
    zmq_atomic_counter_set(counter, 7);
    CHECK(zmq_atomic_counter_value(counter) == 7);
    zmq_atomic_counter_destroy(&counter);
    CHECK(counter == NULL);
    zmq_atomic_counter_destroy(&counter);

    timing();

    void *watch = zmq_stopwatch_start();
    usleep(2000);
    unsigned long before = zmq_stopwatch_intermediate(watch);
    CHECK(before >= 2000 && zmq_stopwatch_stop(watch) >= before);
    zmq_sleep(0);
    zmq_threadclose(zmq_threadstart(set, &flag));
    CHECK(flag == 1);
    IS_NULL(zmq_threadstart(NULL, NULL), EFAULT);
    zmq_threadclose(NULL);
    return 0;
}
