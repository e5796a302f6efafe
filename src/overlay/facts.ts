/** What planOverlay must know of the kernel and of the file system that holds the uppers. */
export interface OverlayFacts {
  /** The directory that was looked at, for errors. */
  readonly dir: string;
  /** Why this file system cannot hold an upper, with a remedy; undefined if it can. */
  readonly problem: { readonly reason: string; readonly hint: string } | undefined;
  /** Which options this kernel's overlayfs knows. */
  readonly options: {
    readonly volatile: boolean;
    readonly redirectDir: boolean;
    readonly metacopy: boolean;
    readonly xino: boolean;
  };
}
