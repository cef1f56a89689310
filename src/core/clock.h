/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_CORE_CLOCK_H
#define AO_CORE_CLOCK_H

/* Monotonic clock in seconds. */
double ao_now(void);

/* Adds the time since *since to *seconds and starts the next lap. */
void ao_lap(double *seconds, double *since);

#endif
