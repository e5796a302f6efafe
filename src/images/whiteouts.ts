/** Names by which a layer says what is gone: image-spec layer.md, "Whiteouts". */

/** An empty file `.wh.NAME` hides NAME. */
export const WHITEOUT_PREFIX = ".wh.";
/** In a directory, it hides all that the layers below have in it. */
export const OPAQUE_MARK = ".wh..wh..opq";
