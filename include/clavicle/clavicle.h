/* Clavicle: trains, evaluates and runs convolutional networks on any OpenCL device.
 *
 * Headers in tiers, each builds on those above it:
 *   error.h context.h     codes, the root object
 *   task.h                what a network is asked
 *   device.h  graph.h     what runs; what is run
 *   model.h   data.h      networks from text; images from disk
 *   metrics.h profile.h   numbers: what a network predicts, how long it takes
 *   train.h               a trainer in your own program
 *   doctor.h              whether a device computes what it should
 *   bench.h               what a device can do, and how near to it this comes
 *   compare.h             where two devices begin to differ
 *   run.h                 whole trainings with files, as the command does them
 *   sweep.h               many of them: folds, trials, searches */
#ifndef CLAVICLE_CLAVICLE_H
#define CLAVICLE_CLAVICLE_H

#include <clavicle/bench.h>
#include <clavicle/compare.h>
#include <clavicle/context.h>
#include <clavicle/data.h>
#include <clavicle/device.h>
#include <clavicle/doctor.h>
#include <clavicle/error.h>
#include <clavicle/graph.h>
#include <clavicle/metrics.h>
#include <clavicle/model.h>
#include <clavicle/profile.h>
#include <clavicle/run.h>
#include <clavicle/sweep.h>
#include <clavicle/task.h>
#include <clavicle/train.h>
#include <clavicle/tune.h>

#endif
