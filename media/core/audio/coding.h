/* Codecs of which the core reads the audio itself (media/formats/coding.py). */
#ifndef TONEWALL_AUDIO_CODING_H
#define TONEWALL_AUDIO_CODING_H

enum coding { CODING_MU = 0, CODING_A = 1, CODING_G722 = 2 };

#endif
