// What a cell without a value looks like: no colour of the scale, and a sign, because colour alone is not enough.

export const WAITING = 0;
export const DONE = 1;
export const FAILED = 2;
export const MISSING = 3;
/** Looks beyond the states of a frame: analysed with too few spots to say; beyond the threshold. */
export const UNKNOWN = 4;
export const BEYOND = 5;

/** In words, by state. "Never seen" is also what a frame that waits becomes when its collection has ended. */
export const WORDS = ["to come", "analysed", "failed", "never seen", "too few spots", "beyond the threshold"];

/** Faces and inks as red, green, blue; by state. */
export const LOOKS = {
  light: {
    [WAITING]: { face: [255, 255, 255], ink: [190, 194, 198] },
    [FAILED]: { face: [227, 26, 28], ink: [0, 0, 0] },
    [MISSING]: { face: [191, 191, 191], ink: [64, 64, 64] },
    [UNKNOWN]: { face: [235, 235, 235], ink: [144, 144, 144] },
    [BEYOND]: { face: [222, 216, 206], ink: [222, 216, 206] },
  },
  dark: {
    [WAITING]: { face: [20, 22, 24], ink: [74, 79, 84] },
    [FAILED]: { face: [227, 26, 28], ink: [0, 0, 0] },
    [MISSING]: { face: [92, 92, 92], ink: [205, 205, 205] },
    [UNKNOWN]: { face: [46, 46, 46], ink: [128, 128, 128] },
    [BEYOND]: { face: [32, 26, 22], ink: [32, 26, 22] },
  },
};

/** The sign in a cell: lines in fractions of its width and height from its middle. */
export const SIGNS = {
  [WAITING]: [[-0.01, 0, 0.01, 0]],
  [FAILED]: [[-0.3, -0.3, 0.3, 0.3], [-0.3, 0.3, 0.3, -0.3]],
  [MISSING]: [[-0.3, 0.3, 0.3, -0.3]],
  [UNKNOWN]: [[-0.2, 0, 0.2, 0]],
};

export const css = ([red, green, blue], alpha = 1) => `rgb(${red} ${green} ${blue} / ${alpha})`;

/** A colour as a pixel of an ImageData read as little-endian 32 bit numbers. */
export const packed = ([red, green, blue]) => ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
