/** Memory, disk and image that the phase asks for. A zone with another image is reset once more: it is fresh anyway. */
import type { StreamHook } from './hook.js';

export const limits: StreamHook = {
  name: 'limits',
  async setUp({ zone, driver, details, defaultImage, defaultLimits, newLife, signal }) {
    const { phase } = details;
    const image = details.image ?? defaultImage;
    const wanted = {
      memoryMb: phase.memory ?? defaultLimits.memoryMb,
      diskGb: phase.disk ?? defaultLimits.diskGb,
    };
    if (image.name !== defaultImage.name || image.version !== defaultImage.version) {
      await driver.reset(zone, image, wanted, signal);
      newLife();
      return;
    }
    if (wanted.memoryMb !== defaultLimits.memoryMb || wanted.diskGb !== defaultLimits.diskGb) {
      await driver.setLimits(zone, wanted);
    }
  },
};
