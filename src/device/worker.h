/* The worker's side of device/pool.h: what the program clavicle-worker does. */
#ifndef CLV_DEVICE_WORKER_H
#define CLV_DEVICE_WORKER_H

/* Serves messages from the socket until the other side is gone. Returns the program's exit status. */
int clv_worker_serve(int fd);

#endif
