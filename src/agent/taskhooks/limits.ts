/** Memory, disk and image that the phase asks for. For another image or disk the zone is reset once more: it is fresh. */
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
    const otherImage = image.name !== defaultImage.name || image.version !== defaultImage.version;
    const otherLimits = wanted.memoryMb !== defaultLimits.memoryMb || wanted.diskGb !== defaultLimits.diskGb;
    if (!otherImage && !otherLimits) return;
    if (!otherImage && (await driver.setLimits(zone, wanted)) === 'done') return;
    await driver.reset(zone, image, wanted, signal);
    newLife();
  },
};
