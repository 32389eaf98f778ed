package org.fettle.steps;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Parameter;
import org.fettle.StateStorage;
import org.fettle.Tensor;
import org.fettle.internal.Access;
import org.fettle.internal.BlockFormat;
import org.fettle.internal.Blocks;
import org.fettle.internal.CallChecks;
import org.fettle.internal.Operand;
import org.fettle.internal.algebra.Matrix;

/**
 * A step whose states have names: they may be stored in few bits, looked at by their names, and
 * written to a file that the step goes on from.
 */
abstract class SavedStep extends StepObject {
  private final String kind;
  private final StateStorage storage;
  private final List<Named> named = new ArrayList<>();
  private final List<NamedMatrix> matrices = new ArrayList<>();
  private long steps;

  /** What a state may be stored as. */
  enum Content {
    /** Any of the formats. */
    SIGNED,
    /** Any of the formats, in the maps of values that are not negative. */
    NON_NEGATIVE,
    /** F32 only: differences are taken of it. */
    EXACT
  }

  private record Named(String tensor, String name, Operand operand) {}

  private record NamedMatrix(
      String tensor, String name, Supplier<Matrix> value, Consumer<Matrix> change) {}

  /**
   * A step without states yet.
   *
   * @param kind what files call it
   */
  SavedStep(Backend backend, String kind, StateStorage storage) {
    super(backend);
    this.kind = kind;
    this.storage = Objects.requireNonNull(storage, "storage");
  }

  /** As {@link #check(List)}, and refuses what cannot have the compensation that is asked for. */
  final CallChecks checkStored(List<Parameter> parameters) {
    CallChecks checks = check(parameters);
    for (int i = 0; i < parameters.size(); i++) {
      checkCompensation("tensor " + i, parameters.get(i).value());
    }
    return checks;
  }

  final void checkCompensation(String name, Tensor value) {
    if (storage.compensated() && value.dtype() == DType.F16) {
      throw new IllegalArgumentException(
          name + " is F16: expected BF16 or F32 with a compensation");
    }
  }

  /** What files and messages call a tensor of a list. */
  static String label(int index, Parameter parameter) {
    return parameter.name() == null ? String.valueOf(index) : parameter.name();
  }

  /** A zeroed state of that shape, stored as the step's states are. */
  final Operand state(String tensor, String name, Content content, long... shape) {
    long elements = 1;
    for (long extent : shape) {
      elements = Math.multiplyExact(elements, extent);
    }
    BlockFormat format =
        content == Content.EXACT
            ? null
            : Access.blocks(storage.format(), content == Content.NON_NEGATIVE, elements);
    Operand operand;
    if (format == null) {
      DType dtype = content == Content.EXACT ? DType.F32 : storage.dtype();
      operand = Operand.of(allocate(dtype, shape));
    } else {
      int size = storage.format().blockSize();
      Tensor codes = allocate(DType.U8, Blocks.bytes(format, 1, elements));
      Tensor scales = allocate(DType.F32, Blocks.count(size, 1, elements));
      operand = Operand.blocked(codes, elements, new Blocks(format, size, scales));
    }
    named.add(new Named(tensor, name, operand));
    return operand;
  }

  /** A parameter's value, with its compensation where it has one. */
  final Operand value(String tensor, Tensor value) {
    if (!storage.compensated() || value.dtype() != DType.BF16) {
      return Operand.of(value);
    }
    Tensor low = allocate(DType.BF16, value.shape());
    named.add(new Named(tensor, "compensation", Operand.of(low)));
    return Operand.compensated(value, low);
  }

  /** A state that is what it is. */
  final Tensor keep(String tensor, String name, Tensor state) {
    named.add(new Named(tensor, name, Operand.of(state)));
    return state;
  }

  /** A state in double on the host, of a shape that never changes. */
  final void keep(String tensor, String name, Supplier<Matrix> value, Consumer<Matrix> change) {
    matrices.add(new NamedMatrix(tensor, name, value, change));
  }

  /** Sets a state to zeros. */
  final void clear(Operand state) {
    engine.clear(state.tensor());
    if (state.companion() != null) {
      engine.clear(state.companion());
    }
  }

  /** What else goes into a file, by name. */
  Map<String, Double> scalars() {
    return Map.of();
  }

  /** Takes back what {@link #scalars} answered. */
  void restore(Map<String, Double> scalars) {}

  /** Steps taken so far, t. */
  public final long steps() {
    return steps;
  }

  final void stepped() {
    steps++;
  }

  /**
   * The states by the names that they have in a file: tensor, dot, state. Of a block-wise format
   * the codes, and the scales under that name with {@code .scales}. Views that live as long as
   * this.
   */
  public final Map<String, Tensor> states() {
    enter();
    try {
      Map<String, Tensor> states = new LinkedHashMap<>();
      for (Named one : named) {
        String name = one.tensor + "." + one.name;
        if (states.put(name, one.operand.tensor()) != null) {
          throw new IllegalArgumentException(
              "two tensors are called " + one.tensor + ": expected names of their own");
        }
        if (one.operand.blocks() != null) {
          states.put(name + ".scales", one.operand.blocks().scales());
        }
      }
      return Collections.unmodifiableMap(states);
    } finally {
      leave();
    }
  }

  private Map<String, String> formats() {
    Map<String, String> formats = new LinkedHashMap<>();
    for (Named one : named) {
      Blocks blocks = one.operand.blocks();
      if (blocks != null) {
        formats.put(one.tensor + "." + one.name, blocks.format() + "/" + blocks.size());
      }
    }
    return formats;
  }

  private interface FileWork {
    void with(StepFile file, List<Tensor> lent) throws IOException;
  }

  /** Lends tensors to the matrices, so that the file sees tensors only. */
  private void withFile(FileWork work) throws IOException {
    Map<String, Tensor> all = new LinkedHashMap<>(states());
    List<Tensor> lent = new ArrayList<>();
    enter();
    try {
      for (NamedMatrix one : matrices) {
        Matrix value = one.value.get();
        Tensor tensor =
            engine.allocate(DType.F64, new long[] {value.rows(), value.columns()}, lent.size());
        lent.add(tensor);
        if (all.put(one.tensor + "." + one.name, tensor) != null) {
          throw new IllegalArgumentException(
              "two tensors are called " + one.tensor + ": expected names of their own");
        }
        value.writeTo(engine, tensor);
      }
      work.with(new StepFile(engine, kind, all, formats(), scalars().keySet()), lent);
    } finally {
      lent.forEach(engine::release);
      leave();
    }
  }

  /**
   * Writes the states and t as a safetensors file, which {@link #load} takes back on any backend.
   * Parameters are the caller's to save.
   *
   * @throws IllegalArgumentException if two tensors have one name
   */
  public final void save(Path file) throws IOException {
    Objects.requireNonNull(file, "file");
    withFile((contents, lent) -> contents.write(file, steps, scalars()));
  }

  /**
   * Takes states and t back, to go on with the same bits.
   *
   * @throws IllegalArgumentException if the file is damaged or belongs to other tensors or formats;
   *     nothing was changed then
   */
  public final void load(Path file) throws IOException {
    Objects.requireNonNull(file, "file");
    withFile(
        (contents, lent) -> {
          StepFile.Loaded loaded = contents.load(file);
          steps = loaded.steps();
          restore(loaded.scalars());
          for (int i = 0; i < lent.size(); i++) {
            Matrix old = matrices.get(i).value.get();
            Matrix read = Matrix.of(engine, lent.get(i), old.rows(), old.columns());
            matrices.get(i).change.accept(read);
          }
        });
  }
}
