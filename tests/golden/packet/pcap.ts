/** Classic pcap files of Ethernet frames, one millisecond apart, so that the same frames make the same bytes. */

const FILE_HEADER_LENGTH = 24;
const RECORD_HEADER_LENGTH = 16;
const LINKTYPE_ETHERNET = 1;

/** The bytes of a capture file with these frames. */
export function encodePcap(frames: readonly Uint8Array[]): Uint8Array {
  const length = frames.reduce((sum, frame) => sum + RECORD_HEADER_LENGTH + frame.length, FILE_HEADER_LENGTH);
  const file = new Uint8Array(length);
  const view = new DataView(file.buffer);
  view.setUint32(0, 0xa1b2c3d4);
  view.setUint16(4, 2);
  view.setUint16(6, 4);
  view.setUint32(16, 65535);
  view.setUint32(20, LINKTYPE_ETHERNET);
  let at = FILE_HEADER_LENGTH;
  for (const [index, frame] of frames.entries()) {
    view.setUint32(at + 4, index * 1000);
    view.setUint32(at + 8, frame.length);
    view.setUint32(at + 12, frame.length);
    file.set(frame, at + RECORD_HEADER_LENGTH);
    at += RECORD_HEADER_LENGTH + frame.length;
  }
  return file;
}
