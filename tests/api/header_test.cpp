/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled once per public header, alone, as C11 and as C++17: HEADER comes from tests/meson.build.
 */
#include HEADER

int main(void)
{
    return 0;
}
